"""Moves the objects of tenants between one stack and a stack per tenant (docs/fleet-layouts.md)."""
