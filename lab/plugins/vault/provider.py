"""The vault plugin: its resources and functions, with one client."""

from __future__ import annotations

from lab.plugins.bridge import Bridge
from lab.plugins.server import Host
from lab.plugins.vault import functions, identity, mounts, roles, transit
from lab.plugins.vault.client import VaultPluginClient


def make(_host: Host) -> Bridge[VaultPluginClient]:
    """Build the backend, without a connection."""
    return Bridge(
        name="vault",
        tables=(identity.RESOURCES, mounts.RESOURCES, roles.RESOURCES, transit.RESOURCES),
        functions=functions.FUNCTIONS,
        connect=VaultPluginClient,
    )
