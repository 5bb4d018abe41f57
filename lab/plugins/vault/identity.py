# ruff: noqa: ANN401 - JSON from a server
"""Policies, identity groups and their aliases, KV version 2 secrets."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from typing import Any, Final

from lab.plugins.bridge import Resource
from lab.plugins.fields import snake
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError, refused
from lab.plugins.vault.client import RefusedError, Vault
from lab.plugins.wire import Properties, Value

# -- policies ---------------------------------------------------------------------------------------------------------

POLICY: Final = resource("vault:index/policy:Policy", autoname=("name",))


def _policy_text(vault: Vault, name: str, data: Data) -> str:
    found = vault.read(f"sys/policies/acl/{name}", at=data)
    return "" if found is None else str(found.get("policy") or "")


def _create_policy(data: Data, vault: Vault) -> None:
    name = data.get("name")
    with refused(f'error checking for existing policy "{name}"'):
        existing = _policy_text(vault, name, data)
    if existing and data.inputs.get("allowOverwrite") is False:
        raise PluginError(
            f'policy "{name}" already exists; use terraform import to manage it or set allow_overwrite = true'
        )
    _write_policy(data, vault)


def _write_policy(data: Data, vault: Vault) -> None:
    name = data.get("name")
    with refused("error writing to Vault"):
        vault.write(f"sys/policies/acl/{name}", {"policy": data.get("policy")}, at=data)
    data.id = name
    _read_policy(data, vault)


def _read_policy(data: Data, vault: Vault) -> None:
    with refused("error reading from Vault"):
        text = _policy_text(vault, data.id, data)
    # Upstream does not notice that a policy is gone: it reads an empty one, which the next `up` writes again.
    data.set("policy", text)
    data.set("name", data.id)


def _delete_policy(data: Data, vault: Vault) -> None:
    with refused("error deleting from Vault"):
        vault.delete(f"sys/policies/acl/{data.id}", at=data)


# -- groups -----------------------------------------------------------------------------------------------------------

_GROUP_LOCK: Final = threading.Lock()


def _members_ignored(flag: str) -> Any:
    return lambda _old, _new, planned: planned.get("type") == "external" or planned.get(flag) is True


GROUP: Final = resource(
    "vault:identity/group:Group", sets=("policies", "memberGroupIds", "memberEntityIds"), autoname=("name",)
).tuned(
    default={
        "type": "internal", "externalPolicies": False, "externalMemberEntityIds": False,
        "externalMemberGroupIds": False,
    },
    suppress={
        "policies": lambda _old, _new, planned: planned.get("externalPolicies") is True,
        "memberGroupIds": _members_ignored("externalMemberGroupIds"),
        "memberEntityIds": _members_ignored("externalMemberEntityIds"),
    },
)  # fmt: skip


def _members(data: Data, body: Properties) -> None:
    if data.get("type") == "internal":
        for kind in ("Entity", "Group"):
            if not data.get(f"externalMember{kind}Ids"):
                body[snake(f"member{kind}Ids")] = data.get(f"member{kind}Ids")


def _create_group(data: Data, vault: Vault) -> None:
    name = data.get("name")
    body: Properties = {"type": data.get("type")}
    if name:
        body["name"] = name
    if not data.get("externalPolicies"):
        body["policies"] = data.get("policies")
    _members(data, body)
    if data.ok("metadata"):
        body["metadata"] = data.get("metadata")
    with refused(f'error writing IdentityGroup to "{name}"'):
        answer = vault.write("identity/group", body, at=data)
    if answer is None:
        path = f"identity/group/name/{name}"
        existing = vault.read(path, at=data)
        reason = "unknown" if existing is None else f'group already exists with path="{path}", id="{existing["id"]}"'
        raise PluginError(f'failed to create identity group "{name}", reason={reason}')
    data.id = answer["id"]
    _read_group(data, vault)


def _update_group(data: Data, vault: Vault) -> None:
    body: Properties = {}
    if any(
        data.changed(n)
        for n in ("name", "externalPolicies", "policies", "metadata", "memberEntityIds", "memberGroupIds")
    ):
        body = {"name": data.get("name"), "metadata": data.get("metadata")}
        if not data.get("externalPolicies"):
            body["policies"] = data.get("policies")
        _members(data, body)
    # One at a time: the server loses updates of one group that cross.
    with refused(f'error updating IdentityGroup "{data.id}"'), _GROUP_LOCK:
        vault.write(f"identity/group/id/{data.id}", body, at=data)
    _read_group(data, vault)


def _read_group(data: Data, vault: Vault) -> None:
    with refused(f'error reading IdentityGroup "{data.id}"'):
        found = vault.read(f"identity/group/id/{data.id}", at=data)
    if found is None:
        data.id = ""
        return
    for name in ("name", "type", "metadata", "memberEntityIds", "memberGroupIds", "policies"):
        data.set(name, found.get(snake(name)))


def _delete_group(data: Data, vault: Vault) -> None:
    with refused(f'error IdentityGroup "{data.id}"'), _GROUP_LOCK:
        vault.delete(f"identity/group/id/{data.id}", at=data)


ALIAS: Final = resource("vault:identity/groupAlias:GroupAlias")
_ALIAS_FIELDS: Final = ("name", "mountAccessor", "canonicalId")


def _create_alias(data: Data, vault: Vault) -> None:
    body = {snake(name): data.get(name) for name in _ALIAS_FIELDS}
    with refused(f'error writing IdentityGroupAlias to "{data.get("name")}"'), _GROUP_LOCK:
        answer = vault.write("identity/group-alias", body, at=data)
    if answer is None:
        raise PluginError(f'error writing IdentityGroupAlias to "{data.get("name")}": the server returned no id')
    data.id = answer["id"]
    _read_alias(data, vault)


def _update_alias(data: Data, vault: Vault) -> None:
    with refused(f'error updating IdentityGroupAlias "{data.id}"'), _GROUP_LOCK:
        vault.write(
            f"identity/group-alias/id/{data.id}", {snake(name): data.get(name) for name in _ALIAS_FIELDS}, at=data
        )
    _read_alias(data, vault)


def _read_alias(data: Data, vault: Vault) -> None:
    with refused(f'error reading IdentityGroupAlias "{data.id}"'):
        found = vault.read(f"identity/group-alias/id/{data.id}", at=data)
    if found is None:
        data.id = ""
        return
    data.id = found["id"]
    for name in _ALIAS_FIELDS:
        data.set(name, found.get(snake(name)))


def _delete_alias(data: Data, vault: Vault) -> None:
    with refused(f'error IdentityGroupAlias "{data.id}"'), _GROUP_LOCK:
        vault.delete(f"identity/group-alias/id/{data.id}", at=data)


# -- KV version 2 -----------------------------------------------------------------------------------------------------


def _compact_json(text: str) -> str:
    """Return JSON text the way the upstream provider keeps it: no spaces, keys in order."""
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


SECRET: Final = resource("vault:kv/secretV2:SecretV2", autoname=("name",)).tuned(
    default={"disableRead": False, "deleteAllVersions": False},
    normalise={"dataJson": _compact_json},
    validate={"dataJson": _is_object},
    conflicts={"dataJson": ("dataJsonWo",), "dataJsonWo": ("dataJson",)},
    required_with={"dataJsonWoVersion": ("dataJsonWo",)},
    write_only={"dataJsonWo": True},
)
_METADATA: Final = {"maxVersions": "max_versions", "casRequired": "cas_required",
                    "deleteVersionAfter": "delete_version_after", "data": "custom_metadata"}  # fmt: skip


def _write_secret(data: Data, vault: Vault) -> None:
    mount, name = data.get("mount"), data.get("name")
    path = f"{mount}/data/{name}"
    text = data.get("dataJson")
    if not text and (data.new or data.changed("dataJsonWoVersion")):
        text = data.inputs.get("dataJsonWo") or ""
    if not text:
        raise PluginError("data_json syntax error: one of dataJson and dataJsonWo must be set")
    body = {"data": json.loads(text), "cas": data.get("cas"), "options": data.get("options")}
    vault.write(path, body, at=data)
    data.id = path
    metadata = data.raw("customMetadata")
    if metadata:
        body = {server: metadata[mine] for mine, server in _METADATA.items() if metadata.get(mine)}
        try:
            vault.write(f"{mount}/metadata/{name}", body, at=data)
        except RefusedError as fault:
            raise PluginError(f"error writing custom metadata to {mount}/metadata/{name}, err={fault}") from None
    _read_secret(data, vault)


def _read_secret(data: Data, vault: Vault) -> None:
    match = re.fullmatch(r"(.+?)/data/(.+)", data.id)
    if match is None:
        raise PluginError(f"unable to read mount from ID {data.id}, err=no mount found")
    mount, name = match[1], match[2]
    data.set("path", data.id)
    data.set("mount", mount)
    data.set("name", name)
    if data.get("disableRead"):
        return
    with refused("error reading from Vault"):
        found = vault.read(data.id, at=data)
    if found is None:
        data.id = ""
        return
    data.set("data", {})
    metadata: Mapping[str, Value] | None = found.get("metadata")
    if metadata is None:
        return
    data.set("metadata", {key: item if isinstance(item, str) else _go_json(item) for key, item in metadata.items()})
    if "custom_metadata" in metadata:
        known = vault.read(f"{mount}/metadata/{name}", at=data) or {}
        custom = {mine: known.get(server) for mine, server in _METADATA.items()}
        custom["deleteVersionAfter"] = _seconds(str(known.get("delete_version_after") or "0s"))
        data.set("customMetadata", custom)


def _seconds(text: str) -> int:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(float(n) * units[unit]) for n, unit in re.findall(r"([\d.]+)([hms])", text))


def _delete_secret(data: Data, vault: Vault) -> None:
    base = "metadata" if data.get("deleteAllVersions") else "data"
    path = f"{data.get('mount')}/{base}/{data.get('name')}"
    with refused(f'error deleting "{path}" from Vault'):
        vault.delete(path, at=data)


RESOURCES: Final = {
    shape.token: Resource(shape, create, read, update, delete)
    for shape, create, read, update, delete in (
        (POLICY, _create_policy, _read_policy, _write_policy, _delete_policy),
        (GROUP, _create_group, _read_group, _update_group, _delete_group),
        (ALIAS, _create_alias, _read_alias, _update_alias, _delete_alias),
        (SECRET, _write_secret, _read_secret, _write_secret, _delete_secret),
    )
}
