"""Repositories from which the clusters of a zone pull their objects (docs/zones.md)."""
