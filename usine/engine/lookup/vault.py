"""Vault's objects whose create refuses what is there."""

from __future__ import annotations

from collections.abc import Mapping

import requests

from model.settings import Endpoint
from usine.engine.lookup.base import Find, Inputs, Remove, Rest


def connect(endpoint: Endpoint, environment: Mapping[str, str]) -> Rest:
    """Return Vault's API, with VAULT_TOKEN and VAULT_CACERT."""
    api = Rest(f"{endpoint.url}/v1", verify=environment.get("VAULT_CACERT", True), absent=_absent)
    api.session.headers["X-Vault-Token"] = environment.get("VAULT_TOKEN", "")
    return api


def _absent(response: requests.Response) -> bool:
    """Say whether a 404 means that nothing is there, which is also how Vault answers an empty list.

    Then `errors` is empty. Where nothing is mounted, or the path is not known, it says why (`RespondErrorCommon` in
    Vault's and OpenBao's sdk/logical/response_util.go).
    """
    try:
        return not response.json()["errors"]
    except (ValueError, LookupError, TypeError):
        return False


class Vault:
    """Mounts, auth back ends and identity groups."""

    def __init__(self, endpoint: Endpoint, environment: Mapping[str, str]) -> None:
        """See `connect`."""
        self._api = connect(endpoint, environment)

    def finders(self) -> Mapping[str, Find]:
        """See `System`."""
        return {
            "vault:index/mount:Mount": lambda i: self._mount("sys/mounts", i["path"]),
            "vault:index/authBackend:AuthBackend": lambda i: self._mount("sys/auth", i.get("path") or i["type"]),
            "vault:jwt/authBackend:AuthBackend": lambda i: self._mount("sys/auth", i.get("path") or "jwt"),
            "vault:identity/group:Group": self._group,
            "vault:identity/groupAlias:GroupAlias": self._group_alias,
        }

    def removers(self) -> Mapping[str, Remove]:
        """See `System`: nothing here has a secret of its own."""
        return {}

    def _mount(self, table: str, path: str) -> str | None:
        return path if f"{path}/" in self._api.call("GET", table)["data"] else None

    def _group(self, inputs: Inputs) -> str | None:
        found = self._api.call("POST", "identity/lookup/group", json={"name": inputs["name"]})
        return found and str(found["data"]["id"])

    def _group_alias(self, inputs: Inputs) -> str | None:
        query = {"alias_name": inputs["name"], "alias_mount_accessor": inputs["mountAccessor"]}
        found = self._api.call("POST", "identity/lookup/group", json=query)
        return found and str(found["data"]["alias"]["id"])
