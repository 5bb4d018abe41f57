"""Reusable Pulumi components, one module or folder per system; `tenant` and `foundation` compose them."""
