# ruff: noqa: ANN401 - JSON schemas
"""Cut the official plugins' schemas down to what the stand-ins support: `python -m lab.plugins.trim SCHEMAS_DIR`.

SCHEMAS_DIR holds `vault.json` and `keycloak.json`: per provider `{version, config, resources, functions, types}`.
Run it again after adding a token here or when the pinned plugin versions change.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

RESOURCES: Final[dict[str, tuple[str, ...]]] = {
    "vault": (
        "index/audit:Audit",
        "index/authBackend:AuthBackend",
        "index/mount:Mount",
        "index/policy:Policy",
        "identity/group:Group",
        "identity/groupAlias:GroupAlias",
        "jwt/authBackend:AuthBackend",
        "jwt/authBackendRole:AuthBackendRole",
        "kubernetes/authBackendConfig:AuthBackendConfig",
        "kubernetes/authBackendRole:AuthBackendRole",
        "kv/secretV2:SecretV2",
    ),
    "keycloak": (
        "index/group:Group",
        "index/groupMemberships:GroupMemberships",
        "index/realm:Realm",
        "index/role:Role",
        "index/user:User",
        "openid/audienceProtocolMapper:AudienceProtocolMapper",
        "openid/client:Client",
        "openid/clientDefaultScopes:ClientDefaultScopes",
        "openid/clientOptionalScopes:ClientOptionalScopes",
        "openid/clientScope:ClientScope",
        "openid/groupMembershipProtocolMapper:GroupMembershipProtocolMapper",
        "openid/userAttributeProtocolMapper:UserAttributeProtocolMapper",
        "openid/userPropertyProtocolMapper:UserPropertyProtocolMapper",
    ),
}
FUNCTIONS: Final[dict[str, tuple[str, ...]]] = {
    "vault": ("index/getAuthBackend:getAuthBackend", "index/getPolicyDocument:getPolicyDocument"),
    "keycloak": (
        "index/getGroup:getGroup",
        "index/getRealm:getRealm",
        "index/getUser:getUser",
        "openid/getClient:getClient",
        "openid/getClientScope:getClientScope",
    ),
}


def references(node: Any) -> Iterator[str]:
    """Yield every type a piece of schema refers to."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield str(node["$ref"]).removeprefix("#/types/")
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def trim(provider: str, full: dict[str, Any]) -> dict[str, Any]:
    """Return the part of `full` that the stand-in of `provider` supports, with the types it needs."""
    kept: dict[str, Any] = {
        "provider": provider,
        "version": full["version"],
        # The full schemas leave out the types of some settings (vault's other ways to log in): these stay untyped.
        "config": {
            name: prop if all(ref in full["types"] for ref in references(prop)) else {"type": "object"}
            for name, prop in full["config"].items()
        },
        "resources": {f"{provider}:{t}": full["resources"][f"{provider}:{t}"] for t in RESOURCES[provider]},
        "functions": {f"{provider}:{t}": full["functions"][f"{provider}:{t}"] for t in FUNCTIONS[provider]},
    }
    types: dict[str, Any] = {}
    pending = set(references(kept))
    while pending:
        name = pending.pop()
        types[name] = full["types"][name]
        pending |= set(references(types[name])) - types.keys()
    kept["types"] = dict(sorted(types.items()))
    return kept


def main(argv: list[str]) -> int:
    """Write `schemas/<provider>.json` beside this module from the full schemas in the directory given."""
    if len(argv) != 1:
        sys.stderr.write("usage: python -m lab.plugins.trim SCHEMAS_DIR\n")
        return 2
    target = Path(__file__).parent / "schemas"
    target.mkdir(exist_ok=True)
    for provider in RESOURCES:
        full = json.loads((Path(argv[0]) / f"{provider}.json").read_text(encoding="utf-8"))
        text = json.dumps(trim(provider, full), separators=(",", ":"), sort_keys=False)
        (target / f"{provider}.json").write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
