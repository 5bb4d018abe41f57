"""The vault plugin: its resources and functions on one connection."""

from __future__ import annotations

from lab.plugins.bridge import Bridge
from lab.plugins.schema import trimmed
from lab.plugins.server import Host
from lab.plugins.vault import functions, identity, mounts, roles
from lab.plugins.vault.client import Vault
from lab.plugins.wire import Properties


def _required(_settings: Properties) -> list[str]:
    # Upstream marks nothing as required: address and token may come from the environment, and fail at the first use.
    return []


def make(_host: Host) -> Bridge[Vault]:
    """Build the backend; nothing is dialled yet."""
    return Bridge(
        name="vault",
        version=str(trimmed("vault")["version"]),
        resources={**mounts.RESOURCES, **roles.RESOURCES, **identity.RESOURCES},
        functions=functions.FUNCTIONS,
        connect=Vault,
        required_config=_required,
    )
