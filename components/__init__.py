"""Reusable Pulumi components, one module per system; `tenant` and `foundation` compose them."""
