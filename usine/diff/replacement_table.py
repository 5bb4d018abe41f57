"""Make `replacement.json`: `python -m usine.diff.replacement_table SCHEMAS_DIR`.

SCHEMAS_DIR has the schema of each official plugin: `vault.json` and so on. `AMENDMENTS` adds what a schema leaves out.
SonarQube's types are our own, so their classes are read. Run it again when a plugin's version changes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from components.sonarqube.dynamic.provider import KINDS, TYPE_PREFIX

PROVIDERS = ("gitlab", "harbor", "keycloak", "vault")
TABLE = Path(__file__).with_name("replacement.json")
#: Newer types of the GitLab plugin decide about a replacement during the plan, and their schemas do not mention it.
AMENDMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    f"gitlab:index/{token}": names
    for token, names in {
        "branch:Branch": ("name", "project", "ref"),
        "branchProtection:BranchProtection": (
            *("branch", "branchProtectionId", "mergeAccessLevel", "project", "pushAccessLevel"),
        ),
        "groupAccessToken:GroupAccessToken": ("accessLevel", "description", "group", "name", "scopes"),
        "groupDeployToken:GroupDeployToken": ("expiresAt", "group", "name", "scopes", "username"),
        "groupHook:GroupHook": ("group", "groupId", "url"),
        "groupLabel:GroupLabel": ("group",),
        "groupMembership:GroupMembership": ("groupId", "userId"),
        "groupShareGroup:GroupShareGroup": ("expiresAt", "groupAccess", "groupId", "memberRoleId", "shareGroupId"),
        "groupVariable:GroupVariable": ("environmentScope", "group", "hidden", "key"),
        "pipelineSchedule:PipelineSchedule": ("project",),
        "projectAccessToken:ProjectAccessToken": ("accessLevel", "description", "name", "project", "scopes"),
        "projectDeployToken:ProjectDeployToken": ("expiresAt", "name", "project", "scopes", "username"),
        "projectEnvironment:ProjectEnvironment": ("name", "project"),
        "projectHook:ProjectHook": ("project", "projectId", "url"),
        "projectJobTokenScopes:ProjectJobTokenScopes": ("project",),
        "projectLabel:ProjectLabel": ("project",),
        "projectLevelMrApprovals:ProjectLevelMrApprovals": ("project",),
        "projectPackageProtectionRule:ProjectPackageProtectionRule": ("packageType", "project"),
        "projectProtectedEnvironment:ProjectProtectedEnvironment": ("environment", "project"),
        "projectPushRules:ProjectPushRules": ("project",),
        "projectTag:ProjectTag": ("message", "name", "project", "ref"),
        "projectVariable:ProjectVariable": ("environmentScope", "hidden", "key", "project"),
        "tagProtection:TagProtection": ("allowedToCreates", "createAccessLevel", "project", "tag"),
        "userRunner:UserRunner": ("groupId", "projectId", "runnerType"),
        "userIdentity:UserIdentity": ("externalProvider", "externalUid", "userId"),
    }.items()
}


def replacing_inputs(schema: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the inputs whose change replaces the object, sorted, by type token; types without any are left out."""
    found = {
        token: sorted(
            {name for name, value in resource["inputs"].items() if value.get("willReplaceOnChanges")}
            | set(AMENDMENTS.get(token, ()))
        )
        for token, resource in schema["resources"].items()
    }
    return {token: names for token, names in sorted(found.items()) if names}


def sonarqube() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return, for our own types, the inputs that force a replacement and the inputs that are compared."""
    replacing = {f"{TYPE_PREFIX}{name}": sorted(kind.replaced_by) for name, kind in KINDS.items() if kind.replaced_by}
    compared = {f"{TYPE_PREFIX}{name}": sorted(kind.inputs) for name, kind in KINDS.items()}
    return dict(sorted(replacing.items())), dict(sorted(compared.items()))


def table(schemas: Path) -> dict[str, dict[str, list[str]]]:
    """Return the whole table: `replacing` and `compared`, each from type token to names of inputs."""
    replacing: dict[str, list[str]] = {}
    for provider in PROVIDERS:
        replacing |= replacing_inputs(json.loads((schemas / f"{provider}.json").read_text(encoding="utf-8")))
    ours, compared = sonarqube()
    return {"compared": compared, "replacing": replacing | ours}


def main(argv: list[str]) -> int:
    """Write the table beside this module."""
    if len(argv) != 1:
        sys.stderr.write("usage: python -m usine.diff.replacement_table SCHEMAS_DIR\n")
        return 2
    document = table(Path(argv[0]))
    parts = []
    for name, rows in document.items():
        lines = ",\n".join(f"  {json.dumps(token)}: {json.dumps(inputs)}" for token, inputs in rows.items())
        parts.append(f' "{name}": {{\n{lines}\n }}')
    TABLE.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
