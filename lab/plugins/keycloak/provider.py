"""The keycloak plugin: its resources and functions, with one client."""

from __future__ import annotations

from lab.plugins.bridge import Bridge
from lab.plugins.keycloak import clients, functions, mappers, people, realm, scopes
from lab.plugins.keycloak.client import ENVIRONMENT, KeycloakPluginClient
from lab.plugins.server import Host


def make(_host: Host) -> Bridge[KeycloakPluginClient]:
    """Build the backend, without a connection."""
    return Bridge(
        name="keycloak",
        tables=(clients.RESOURCES, mappers.RESOURCES, people.RESOURCES, realm.RESOURCES, scopes.RESOURCES),
        functions=functions.FUNCTIONS,
        connect=KeycloakPluginClient,
        environment=ENVIRONMENT,
        required="url",
    )
