"""A fleet: one stack for the foundation and one per tenant, run by one command (docs/fleet.md)."""
