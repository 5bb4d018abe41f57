"""Images of tenants: how their names are read, and what the signatures in the registry prove."""
