"""The keycloak plugin: its resources on one connection."""

from __future__ import annotations

from lab.plugins.bridge import Bridge
from lab.plugins.keycloak import clients, functions, mappers, people, realm, scopes
from lab.plugins.keycloak.client import Keycloak, settled
from lab.plugins.schema import trimmed
from lab.plugins.server import Host
from lab.plugins.wire import Properties


def _required(settings: Properties) -> list[str]:
    if settled(settings).get("url"):
        return []
    return ["Provider is missing a required configuration key, try `pulumi config set keycloak:url`"]


def make(_host: Host) -> Bridge[Keycloak]:
    """Build the backend; nothing is dialled yet."""
    return Bridge(
        name="keycloak",
        version=str(trimmed("keycloak")["version"]),
        resources={**realm.RESOURCES, **people.RESOURCES, **clients.RESOURCES, **scopes.RESOURCES, **mappers.RESOURCES},
        functions=functions.FUNCTIONS,
        connect=Keycloak,
        required_config=_required,
    )
