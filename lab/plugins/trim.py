# ruff: noqa: ANN401 - JSON schemas have any content
"""Reduces the official plugins' schemas to what the stand-ins support: `python -m lab.plugins.trim SCHEMAS_DIR`.

SCHEMAS_DIR contains a file for each provider, such as `vault.json`: `{version, config, resources, functions, types}`.
Run it again after a new token in `lab.plugins.needed` or another pinned version of a plugin.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from lab.plugins.needed import CONFIG, FUNCTIONS, RESOURCES, UNSUPPORTED

#: Corrections: the full schema of a provider was taken between two releases and differs from the pinned version.
AMENDMENTS: Final[dict[str, dict[str, Any]]] = {
    "gitlab": {
        "version": "10.4.0",
        "inputs": {
            "index/group:Group": {"crmEnabled": {"type": "boolean"}},
            "index/project:Project": {
                "automaticRebaseEnabled": {"type": "boolean"},
                "mrDefaultTitleTemplate": {"type": "string"},
                "reviewerAssignmentStrategy": {"type": "string"},
            },
            "index/user:User": {"isAuditor": {"type": "boolean"}},
        },
        "always": {
            "index/group:Group": ("crmEnabled",),
            "index/project:Project": ("automaticRebaseEnabled", "reviewerAssignmentStrategy"),
            "index/projectApprovalRule:ProjectApprovalRule": (
                "appliesToAllProtectedBranches",
                "disableImportingDefaultAnyApproverRuleOnCreate",
                "groupIds",
                "protectedBranchIds",
                "userIds",
            ),
        },
    },
}


def references(node: Any) -> Iterator[str]:
    """Yield every type to which a part of a schema refers."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield str(node["$ref"]).removeprefix("#/types/")
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def trim(provider: str, full: dict[str, Any]) -> dict[str, Any]:
    """Return the part of `full` that the stand-in of `provider` supports, with the types that it needs."""
    amended = AMENDMENTS.get(provider, {})
    kept: dict[str, Any] = {
        "provider": provider,
        "version": amended.get("version", full["version"]),
        # The full schemas lack the types of some settings (vault's other log-in methods): these stay untyped.
        "config": {
            name: prop if all(ref in full["types"] for ref in references(prop)) else {"type": "object"}
            for name, prop in full["config"].items()
        },
        "resources": {f"{provider}:{t}": full["resources"][f"{provider}:{t}"] for t in RESOURCES[provider]},
        "functions": {f"{provider}:{t}": full["functions"][f"{provider}:{t}"] for t in FUNCTIONS[provider]},
    }
    for token, inputs in amended.get("inputs", {}).items():
        kept["resources"][f"{provider}:{token}"]["inputs"].update(inputs)
    for token, names in amended.get("always", {}).items():
        always = kept["resources"][f"{provider}:{token}"]["alwaysSetOutputs"]
        always[:] = sorted({*always, *names})
    refused = UNSUPPORTED[provider]
    kept["config"], kept["unsupported"] = without(kept["config"], refused.get(CONFIG, ()))
    for kind in ("resources", "functions"):
        kept[kind] = {token: supported(spec, refused.get(short(token), ())) for token, spec in kept[kind].items()}
    types: dict[str, Any] = {}
    pending = set(references(kept))
    while pending:
        name = pending.pop()
        types[name] = supported(full["types"][name], refused.get(short(name), ()))
        pending |= set(references(types[name])) - types.keys()
    kept["types"] = dict(sorted(types.items()))
    return kept


def short(token: str) -> str:
    """Return a token without the provider's name."""
    return token.partition(":")[2]


def without(
    properties: dict[str, dict[str, Any]], names: Collection[str]
) -> tuple[dict[str, dict[str, Any]], dict[str, bool]]:
    """Return the properties that are not in `names`, and for those in `names` whether they are replace-on-change."""
    gone = {name: bool(prop.get("willReplaceOnChanges")) for name, prop in properties.items() if name in names}
    return {name: prop for name, prop in properties.items() if name not in gone}, gone


def supported(spec: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return a resource, a function or a type without the properties in `names`, which become its `unsupported` list.

    Raises `KeyError` for a name that is not a property.
    """
    kept: dict[str, Any] = {}
    gone: dict[str, bool] = {}
    for key, value in spec.items():
        if isinstance(value, dict):
            kept[key], dropped = without(value, names)
            gone = {**dropped, **gone}  # inputs come first and take precedence
        else:
            kept[key] = [name for name in value if name not in names] if isinstance(value, list) else value
    if unknown := set(names) - gone.keys():
        raise KeyError(*sorted(unknown))
    return {**kept, "unsupported": dict(sorted(gone.items()))} if gone else kept


def main(argv: list[str]) -> int:
    """Write `schemas/<provider>.json` beside this module from the full schemas in the given folder."""
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
