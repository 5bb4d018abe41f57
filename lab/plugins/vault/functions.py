"""The vault function that the program uses: it looks up an auth mount."""

from __future__ import annotations

from typing import Final

from lab.plugins.bridge import BridgedFunction
from lab.plugins.schema import function
from lab.plugins.server import PluginError
from lab.plugins.vault.client import VaultPluginClient
from lab.plugins.vault.mounts import get_mount
from lab.plugins.wire import Properties


def _get_auth_backend(args: Properties, vault: VaultPluginClient) -> Properties:
    path = str(args["path"])
    mount = get_mount(vault, f"sys/auth/{path}")
    if mount is None:
        raise PluginError("error reading from Vault: mount not found")
    config = mount.get("config") or {}
    return {
        "id": path.removesuffix("/"),
        "path": path,
        "type": mount["type"],
        "description": mount.get("description") or "",
        "accessor": mount.get("accessor"),
        "defaultLeaseTtlSeconds": config.get("default_lease_ttl") or 0,
        "maxLeaseTtlSeconds": config.get("max_lease_ttl") or 0,
        "listingVisibility": config.get("listing_visibility") or "",
        "local": bool(mount.get("local")),
    }


_AUTH_BACKEND: Final = function("vault:index/getAuthBackend:getAuthBackend")
FUNCTIONS: Final = {_AUTH_BACKEND.token: BridgedFunction(_AUTH_BACKEND, _get_auth_backend)}
