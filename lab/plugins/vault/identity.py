"""Policies, identity groups and their aliases, KV version 2 secrets."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import Any, Final

from lab.plugins.fields import always, fields
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError, refused
from lab.plugins.vault.client import VaultPluginClient
from lab.plugins.vault.items import VaultItem
from lab.plugins.wire import Properties, Value

# -- policies ---------------------------------------------------------------------------------------------------------


class _Policy(VaultItem):
    def find(self, data: Data, client: VaultPluginClient) -> Properties:
        """Return the policy.

        Like upstream, a missing policy is read as an empty one, so the next run writes it again.
        """
        return super().find(data, client) or {}


_POLICY: Final = _Policy(
    shape=resource("vault:index/policy:Policy", autoname=("name",)),
    id="{name}",
    at="sys/policies/acl/{id}",
    always=fields("policy"),
    refused={
        "create": "error writing to Vault",
        "update": "error writing to Vault",
        "read": "error reading from Vault",
        "delete": "error deleting from Vault",
    },
)

# -- groups -----------------------------------------------------------------------------------------------------------

_GROUP_LOCK: Final = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class _IdentityObject(VaultItem):
    """An object in `collection`; Vault answers its id."""

    collection: str

    def create(self, data: Data, client: VaultPluginClient) -> None:
        """Create the object."""
        name = data.get("name")
        with self.refusing("create", data), _GROUP_LOCK:
            answer = client.write(self.collection, self.creation(data))
        if answer is None:
            raise PluginError(self.unanswered(name, client))
        data.id = answer["id"]
        self.read(data, client)

    def unanswered(self, name: str, _client: VaultPluginClient) -> str:
        """Return the error when Vault answers no id."""
        return f"{self.refused['create'].format(name=name)}: the server returned no id"

    def update(self, data: Data, client: VaultPluginClient) -> None:
        """Update it under a lock, because the server loses concurrent updates of a group."""
        with _GROUP_LOCK:
            super().update(data, client)

    def delete(self, data: Data, client: VaultPluginClient) -> None:
        """Delete the object."""
        with _GROUP_LOCK:
            super().delete(data, client)


def _identity(what: str, collection: str) -> dict[str, Any]:
    return {
        "at": f"{collection}/id/{{id}}",
        "collection": collection,
        "refused": {
            "create": f'error writing {what} to "{{name}}"',
            "update": f'error updating {what} "{{id}}"',
            "read": f'error reading {what} "{{id}}"',
            "delete": f'error {what} "{{id}}"',
        },
    }


class _IdentityGroup(_IdentityObject):
    def body(self, data: Data) -> Properties:
        members = fields("memberEntityIds", "memberGroupIds") if data.get("type") == "internal" else {}
        return {**super().body(data), **always(data, {**fields("metadata"), **members})}

    def creation(self, data: Data) -> Properties:
        return {"type": data.get("type"), **{name: value for name, value in self.body(data).items() if value != {}}}

    def unanswered(self, name: str, client: VaultPluginClient) -> str:
        path = f"identity/group/name/{name}"
        existing = client.read(path)
        reason = "unknown" if existing is None else f'group already exists with path="{path}", id="{existing["id"]}"'
        return f'failed to create identity group "{name}", reason={reason}'


def _members_ignored(_old: Value, _new: Value, planned: Properties) -> bool:
    return planned.get("type") == "external"


_GROUP: Final = _IdentityGroup(
    shape=resource(
        "vault:identity/group:Group", sets=("policies", "memberGroupIds", "memberEntityIds"), autoname=("name",)
    ).tuned(
        default={"type": "internal"},
        suppress=dict.fromkeys(("memberGroupIds", "memberEntityIds"), _members_ignored),
    ),
    **_identity("IdentityGroup", "identity/group"),
    always=fields("name", "policies"),
    read_back=fields("type", "metadata", "memberEntityIds", "memberGroupIds"),
)
_ALIAS: Final = _IdentityObject(
    shape=resource("vault:identity/groupAlias:GroupAlias"),
    **_identity("IdentityGroupAlias", "identity/group-alias"),
    always=fields("name", "mountAccessor", "canonicalId"),
)

# -- KV version 2 -----------------------------------------------------------------------------------------------------


def _compact_json(text: str) -> str:
    """Return JSON text as in the upstream provider: without spaces, with sorted keys."""
    try:
        return _go_json(json.loads(text))
    except json.JSONDecodeError:
        return text


def _go_json(value: Value) -> str:
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    for char, escape in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e")):
        text = text.replace(char, escape)
    return text


def _is_object(value: Value) -> str | None:
    try:
        parsed = json.loads(str(value))
    except json.JSONDecodeError as error:
        return f"data_json is not valid JSON: {error.msg}"
    return None if isinstance(parsed, dict) else "data_json must be a JSON object"


class _Secret(VaultItem):
    def body(self, data: Data) -> Properties:
        text = data.get("dataJson")
        if not text:
            raise PluginError("data_json syntax error: one of dataJson and dataJsonWo must be set")
        return {"data": json.loads(text)}

    def take(self, data: Data, found: Properties, client: VaultPluginClient) -> None:
        super().take(data, found, client)
        data.set("path", data.id)
        data.set("data", {})
        metadata = (found.get("metadata") or {}).items()
        data.set("metadata", {key: item if isinstance(item, str) else _go_json(item) for key, item in metadata})

    def delete(self, data: Data, client: VaultPluginClient) -> None:
        """Delete its last version, or all versions."""
        base = "metadata" if data.get("deleteAllVersions") else "data"
        path = f"{data.get('mount')}/{base}/{data.get('name')}"
        with refused(f'error deleting "{path}" from Vault'):
            client.delete(path)


_SECRET: Final = _Secret(
    shape=resource("vault:kv/secretV2:SecretV2", autoname=("name",)).tuned(
        default={"deleteAllVersions": False},
        normalise={"dataJson": _compact_json},
        validate={"dataJson": _is_object},
    ),
    id="{mount}/data/{name}",
    refused={"read": "error reading from Vault"},
)

RESOURCES: Final = table(_POLICY, _GROUP, _ALIAS, _SECRET)
