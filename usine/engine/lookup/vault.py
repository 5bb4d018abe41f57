"""Finds Vault's objects: their create refuses what is there."""

from __future__ import annotations

from collections.abc import Mapping

from usine.clients.vault import VaultClient
from usine.engine.lookup.base import Find, Inputs, Remove


class VaultFinder:
    """Mounts, auth back ends and identity groups."""

    def __init__(self, client: VaultClient) -> None:
        """Keep the client; nothing is sent yet."""
        self._client = client

    def finders(self) -> Mapping[str, Find]:
        """See `SystemFinder`."""
        return {
            "vault:index/mount:Mount": lambda i: self._mount("sys/mounts", i["path"]),
            "vault:index/authBackend:AuthBackend": lambda i: self._mount("sys/auth", i.get("path") or i["type"]),
            "vault:jwt/authBackend:AuthBackend": lambda i: self._mount("sys/auth", i.get("path") or "jwt"),
            "vault:identity/group:Group": self._group,
            "vault:identity/groupAlias:GroupAlias": self._group_alias,
        }

    def removers(self) -> Mapping[str, Remove]:
        """See `SystemFinder`. No object here has a secret of its own, so nothing is removed."""
        return {}

    def _mount(self, table: str, path: str) -> str | None:
        return path if f"{path}/" in self._client.listed(table)["data"] else None

    def _group(self, inputs: Inputs) -> str | None:
        found = self._client.lookup("identity/lookup/group", {"name": inputs["name"]})
        return found and str(found["id"])

    def _group_alias(self, inputs: Inputs) -> str | None:
        query = {"alias_name": inputs["name"], "alias_mount_accessor": inputs["mountAccessor"]}
        found = self._client.lookup("identity/lookup/group", query)
        return found and str(found["alias"]["id"])
