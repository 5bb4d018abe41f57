"""The CI catalogue as a product: its third-party images, and which tenants use which version."""
