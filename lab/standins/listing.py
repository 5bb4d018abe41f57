"""Lists the operations of the stand-in servers: `python -m lab.standins.listing` writes them to docs/stand-ins.md.

Operations and needs come from the routes; the tests of each part are listed here. A test compares the page with both.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import lab
from lab.standins.gitlab import app as gitlab_app
from lab.standins.harbor import app as harbor_app
from lab.standins.needs import Need, Operation, operations

PAGE: Final = Path(lab.__file__).resolve().parents[1] / "docs" / "stand-ins.md"

_GITLAB: Final = "lab/tests/standins/gitlab/test_"
_HARBOR: Final = "lab/tests/standins/harbor/test_"
#: Tests of a part (with their clients) and the plugin's resources, besides the fuzzer, which calls every operation.
PROOFS: Final[Mapping[str, Mapping[str, str]]] = {
    "gitlab": {
        "instance": f"{_GITLAB}settings.py (python-gitlab); plugin: provider's own check",
        "users": f"{_GITLAB}groups_projects.py (python-gitlab); plugin: User, UserIdentity, getUser",
        "groups": f"{_GITLAB}groups_projects.py (python-gitlab); plugin: Group, getGroup",
        "projects": f"{_GITLAB}groups_projects.py (python-gitlab); plugin: Project",
        "members": f"{_GITLAB}access.py (python-gitlab); plugin: GroupMembership, ProjectMembership",
        "variables": f"{_GITLAB}settings.py (python-gitlab); plugin: GroupVariable, ProjectVariable",
        "protection": f"{_GITLAB}settings.py (python-gitlab); plugin: BranchProtection, TagProtection",
        "environments": f"{_GITLAB}settings.py (python-gitlab); plugin: ProjectEnvironment",
        "access tokens": f"{_GITLAB}access.py (python-gitlab); plugin: ProjectAccessToken, GroupAccessToken",
        "deploy tokens": f"{_GITLAB}settings.py, {_GITLAB}git_http.py (git); plugin: ProjectDeployToken",
        "deploy keys": f"{_GITLAB}settings.py (python-gitlab)",
        "pipeline schedules": f"{_GITLAB}settings.py (python-gitlab); plugin: PipelineSchedule and its variables",
        "hooks": f"{_GITLAB}settings.py (python-gitlab); plugin: ProjectHook",
        "job token scope": f"{_GITLAB}access.py (python-gitlab); plugin: ProjectJobTokenScopes",
        "premium": f"{_GITLAB}settings.py (python-gitlab); plugin: ProjectApprovalRule, ProjectPushRules",
        "repository files": f"{_GITLAB}git_api.py (python-gitlab, git); plugin: RepositoryFile",
        "branches and tags": f"{_GITLAB}git_api.py (python-gitlab, git)",
        "commits": f"{_GITLAB}git_api.py (python-gitlab, git)",
        "commit statuses": f"{_GITLAB}git_api.py (python-gitlab)",
        "pipelines": f"{_GITLAB}ci_pipelines.py (python-gitlab, git)",
        "triggers": f"{_GITLAB}ci_pipelines.py (python-gitlab)",
        "jobs": f"{_GITLAB}ci_jobs.py (python-gitlab)",
        "runners": f"{_GITLAB}ci_jobs.py (the runner's protocol)",
        "issues": f"{_GITLAB}issues.py (python-gitlab)",
        "notes": f"{_GITLAB}issues.py, {_GITLAB}merge_requests.py (python-gitlab)",
        "merge requests": f"{_GITLAB}merge_requests.py (python-gitlab, git)",
        "merge request content": f"{_GITLAB}merge_requests.py (python-gitlab)",
        "approvals": f"{_GITLAB}merge_requests.py (python-gitlab)",
        "packages": f"{_GITLAB}packages.py (python-gitlab); plugin: ProjectPackageProtectionRule",
        "generic and Maven packages": f"{_GITLAB}packages.py (httpx, in the order of `mvn deploy`)",
        "npm packages": f"{_GITLAB}packages.py (npm)",
        "PyPI packages": f"{_GITLAB}packages.py (pip; uploads as twine sends them)",
        "health": f"{_GITLAB}server.py",
        "identity": f"{_GITLAB}ci_identity.py (PyJWT; OpenBao verifies it for real)",
        "git": f"{_GITLAB}git_http.py (git)",
    },
    "harbor": {
        "system, configure": f"{_HARBOR}rules.py (httpx); plugin: ConfigAuth, ConfigSystem, GarbageCollection",
        "project": f"{_HARBOR}projects.py (harborapi); plugin: Project",
        "member": f"{_HARBOR}projects.py, {_HARBOR}people.py (a real provider); plugin: ProjectMemberGroup",
        "user": f"{_HARBOR}projects.py (httpx)",
        "robot": f"{_HARBOR}rules.py (harborapi), {_HARBOR}images.py (python-dxf); plugin: RobotAccount",
        "quota": f"{_HARBOR}projects.py (httpx), {_HARBOR}images.py (python-dxf)",
        "retention, immutable": f"{_HARBOR}rules.py, {_HARBOR}images.py; plugin: RetentionPolicy, ImmutableTagRule",
        "webhook": f"{_HARBOR}rules.py (httpx); plugin: ProjectWebhook",
        "scanner, scanAll": f"{_HARBOR}rules.py (httpx)",
        "replication": f"{_HARBOR}projects.py (httpx)",
        "registry, label": f"{_HARBOR}projects.py (httpx); plugin: Registry, Label",
        "repository, artifact": f"{_HARBOR}images.py (harborapi, python-dxf)",
        "registry protocol": f"{_HARBOR}images.py (python-dxf)",
        "session, lab": f"{_HARBOR}projects.py, {_HARBOR}images.py (httpx)",
    },
}


_SERVERS: Final = {"gitlab": gitlab_app.ROUTERS, "harbor": harbor_app.ROUTERS}


def served(name: str) -> list[Operation]:
    """Return the operations of a stand-in."""
    return list(operations(_SERVERS[name]))


def parts(name: str) -> dict[str, list[Operation]]:
    """Return the operations of a stand-in by part."""
    found: dict[str, list[Operation]] = {}
    for one in served(name):
        found.setdefault(one.part, []).append(one)
    return dict(sorted(found.items()))


def table(name: str) -> str:
    """Return the table of a stand-in's operations, in Markdown."""
    lines = ["| part | operations, and what needs them | proved by |", "| --- | --- | --- |"]
    count = 0
    for part, found in parts(name).items():
        count += len(found)
        grouped: dict[tuple[str, tuple[Need, ...]], list[str]] = {}
        for one in found:
            grouped.setdefault((one.path, one.needs), []).append(one.method)
        shown = "<br>".join(
            f"`{' '.join(methods)} {path}`: {', '.join(need.title for need in needs)}"
            for (path, needs), methods in grouped.items()
        )
        lines.append(f"| {part} | {shown} | {PROOFS[name].get(part, 'the fuzzer alone')} |")
    return "\n".join([f"{count} operations.", "", *lines])


def legend() -> str:
    """Return the table of needs, in Markdown."""
    return "\n".join(["| needed by | for |", "| --- | --- |", *(f"| {one.title} | {one.purpose} |" for one in Need)])


def fill_in(page: str) -> str:
    """Return the page with the current tables."""
    tables = {name: (f"endpoints of {name}", table(name)) for name in _SERVERS} | {"needs": ("needs", legend())}
    for name, (start, content) in tables.items():
        begin, end = f"<!-- {start} -->", f"<!-- end of {name} -->"
        filled = f"{begin}\n{content}\n{end}"
        page = re.sub(f"{begin}.*?{end}", filled.replace("\\", r"\\"), page, flags=re.DOTALL)
    return page


def main() -> int:
    """Write the page."""
    PAGE.write_text(fill_in(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
