# ruff: noqa: ANN401 - JSON schemas
"""Cut the official plugins' schemas down to what the stand-ins support: `python -m lab.plugins.trim SCHEMAS_DIR`.

SCHEMAS_DIR holds a file for each provider, `vault.json` and so on: `{version, config, resources, functions, types}`.
Run it again after adding a token to `lab.plugins.needed` or when the pinned plugin versions change.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from lab.plugins.needed import FUNCTIONS, RESOURCES

#: What the full schema of a provider, taken between two releases, does not say of the pinned one.
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
    amended = AMENDMENTS.get(provider, {})
    kept: dict[str, Any] = {
        "provider": provider,
        "version": amended.get("version", full["version"]),
        # The full schemas leave out the types of some settings (vault's other ways to log in): these stay untyped.
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
