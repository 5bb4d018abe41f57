"""What a tenant is: types, names, rights, life cycle. Only `reading` reads files: it makes these types from YAML."""
