# ruff: noqa: ANN401 - JSON from a server
"""The vault functions in use: looking up an auth mount, rendering a policy."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Final

from lab.plugins.bridge import Function
from lab.plugins.schema import function
from lab.plugins.server import PluginError
from lab.plugins.vault.client import Vault
from lab.plugins.vault.mounts import get_mount
from lab.plugins.wire import Properties

_CAPABILITIES: Final = ("create", "read", "update", "delete", "list", "sudo", "deny", "patch", "subscribe")


def _get_auth_backend(args: Properties, vault: Vault) -> Properties:
    path = str(args["path"])
    mount = get_mount(vault, f"sys/auth/{path}", None)
    if mount is None:
        raise PluginError("error reading from Vault: mount not found")
    config = mount.get("config") or {}
    return {
        "id": path.removesuffix("/"),
        "path": path,
        "namespace": args.get("namespace"),
        "type": mount["type"],
        "description": mount.get("description") or "",
        "accessor": mount.get("accessor"),
        "defaultLeaseTtlSeconds": config.get("default_lease_ttl") or 0,
        "maxLeaseTtlSeconds": config.get("max_lease_ttl") or 0,
        "listingVisibility": config.get("listing_visibility") or "",
        "local": bool(mount.get("local")),
    }


def _strings(items: Any) -> str:
    return f'["{chr(34).join(_commas(items))}"]' if items else "[]"


def _commas(items: list[str]) -> list[str]:
    parts: list[str] = []
    for i, item in enumerate(items):
        parts.extend([", ", item] if i else [item])
    return parts


def _parameters(items: list[Mapping[str, Any]], argument: str) -> str:
    seen: dict[str, list[str]] = {}
    for item in items:
        if item["key"] in seen:
            raise PluginError(f"error reading argument {argument}: found duplicate key: {item['key']}")
        seen[item["key"]] = item["values"]
    lines = "".join(f'    "{key}" = {_strings(seen[key])}\n' for key in sorted(seen))
    return f"{{\n{lines}  }}"


def _rule(rule: Mapping[str, Any]) -> str:
    for capability in rule["capabilities"]:
        if capability not in _CAPABILITIES:
            raise PluginError(f'invalid capability: "{capability}" in: capabilities')
    text = f"# {rule['description']}\n" if rule.get("description") else ""
    text += f'path "{rule["path"]}" {{\n  capabilities = {_strings(rule["capabilities"])}\n'
    if rule.get("requiredParameters"):
        text += f"  required_parameters = {_strings(rule['requiredParameters'])}\n"
    for mine, theirs in (("allowedParameters", "allowed_parameters"), ("deniedParameters", "denied_parameters")):
        if rule.get(mine):
            text += f"  {theirs} = {_parameters(rule[mine], theirs)}\n"
    for mine, theirs in (("minWrappingTtl", "min_wrapping_ttl"), ("maxWrappingTtl", "max_wrapping_ttl")):
        if rule.get(mine):
            text += f'  {theirs} = "{rule[mine]}"\n'
    return text + "}\n"


def _get_policy_document(args: Properties, _vault: Vault) -> Properties:
    rules = args.get("rules") or []
    hcl = "\n".join(_rule(rule) for rule in rules)
    return {
        "id": str(zlib.crc32(hcl.encode())),
        "hcl": hcl,
        "rules": rules,
        "namespace": args.get("namespace"),
    }


FUNCTIONS: Final = {
    shape.token: Function(shape, call)
    for shape, call in (
        (function("vault:index/getAuthBackend:getAuthBackend"), _get_auth_backend),
        (function("vault:index/getPolicyDocument:getPolicyDocument"), _get_policy_document),
    )
}
