"""Stand-in for the official keycloak provider plugin."""
