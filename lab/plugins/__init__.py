"""Stand-in provider plugins for closed networks: what the official vault, keycloak and kubernetes ones do.

They keep the official tokens, property names, defaults, id formats and read-back behaviour, so that a stack that
settles with them settles with the official plugins too.
"""
