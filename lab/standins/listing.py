"""What the stand-in servers answer, as docs/stand-ins.md lists it: `python -m lab.standins.listing` writes it there.

The endpoints come from each server's own description, so the page can't claim what is not there; what proves a part of
them is said here, and a test holds the page to both.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
from starlette.types import ASGIApp

import lab
from lab.standins.gitlab.app import create_app as gitlab_app
from lab.standins.harbor.app import create_app as harbor_app
from lab.standins.serve import Configuration

PAGE: Final = Path(lab.__file__).resolve().parents[1] / "docs" / "stand-ins.md"
_SERVERS: Final[Mapping[str, Callable[[Configuration], ASGIApp]]] = {"gitlab": gitlab_app, "harbor": harbor_app}

_GITLAB: Final = "tests/standins/gitlab/test_"
_HARBOR: Final = "tests/standins/harbor/test_"
#: What proves a part, beside the fuzzer that takes every operation: tests (their clients), and the plugin's resources.
PROOFS: Final[Mapping[str, Mapping[str, str]]] = {
    "gitlab": {
        "instance": f"{_GITLAB}server.py (python-gitlab); plugin: provider's own check",
        "users": f"{_GITLAB}access.py (python-gitlab); plugin: User, UserIdentity, getUser",
        "groups": f"{_GITLAB}groups_projects.py (python-gitlab); plugin: Group, getGroup",
        "projects": f"{_GITLAB}groups_projects.py (python-gitlab); plugin: Project, getProject",
        "members": f"{_GITLAB}access.py (python-gitlab); plugin: GroupMembership, ProjectMembership",
        "variables": f"{_GITLAB}settings.py (python-gitlab); plugin: GroupVariable, ProjectVariable",
        "protection": f"{_GITLAB}settings.py (python-gitlab); plugin: BranchProtection, TagProtection",
        "environments": f"{_GITLAB}settings.py (python-gitlab); plugin: ProjectEnvironment",
        "access tokens": f"{_GITLAB}access.py (python-gitlab); plugin: ProjectAccessToken, GroupAccessToken",
        "deploy tokens": f"{_GITLAB}settings.py, {_GITLAB}git_http.py (git); plugin: ProjectDeployToken",
        "pipeline schedules": f"{_GITLAB}settings.py (python-gitlab); plugin: PipelineSchedule and its variables",
        "hooks": f"{_GITLAB}settings.py (python-gitlab); plugin: ProjectHook",
        "job token scope": f"{_GITLAB}git_http.py (git); plugin: ProjectJobTokenScopes",
        "premium": f"{_GITLAB}settings.py (python-gitlab); plugin: ProjectApprovalRule, ProjectPushRules",
        "labels": f"{_GITLAB}settings.py (python-gitlab)",
        "repository files": f"{_GITLAB}git_api.py (python-gitlab, git); plugin: RepositoryFile",
        "branches and tags": f"{_GITLAB}git_api.py (python-gitlab, git); plugin: Branch, ProjectTag",
        "commits": f"{_GITLAB}git_api.py (python-gitlab, git)",
        "comparisons": f"{_GITLAB}git_api.py (python-gitlab, git)",
        "pipelines": f"{_GITLAB}ci_pipelines.py (python-gitlab, git)",
        "triggers": f"{_GITLAB}ci_pipelines.py (python-gitlab)",
        "lint": f"{_GITLAB}ci_pipelines.py (python-gitlab)",
        "jobs": f"{_GITLAB}ci_jobs.py (python-gitlab)",
        "runners": f"{_GITLAB}ci_jobs.py (the runner's protocol)",
        "issues": f"{_GITLAB}issues.py (python-gitlab)",
        "notes": f"{_GITLAB}issues.py, {_GITLAB}merge_requests.py (python-gitlab)",
        "merge requests": f"{_GITLAB}merge_requests.py (python-gitlab, git)",
        "merge request content": f"{_GITLAB}merge_requests.py (python-gitlab)",
        "approvals": f"{_GITLAB}merge_requests.py (python-gitlab)",
        "health": f"{_GITLAB}server.py",
        "identity": f"{_GITLAB}ci_identity.py (PyJWT; OpenBao verifies it for real)",
        "graphql": f"{_GITLAB}graphql.py (python-gitlab's GraphQL queries)",
    },
    "harbor": {
        "system, configure, health": f"{_HARBOR}rules.py (harborapi); plugin: ConfigAuth, GarbageCollection",
        "project": f"{_HARBOR}projects.py (harborapi); plugin: Project",
        "member, usergroup": f"{_HARBOR}projects.py, {_HARBOR}people.py (a real provider); plugin: ProjectMemberGroup",
        "user": f"{_HARBOR}projects.py (harborapi)",
        "robot, permissions": f"{_HARBOR}rules.py (harborapi), {_HARBOR}images.py (python-dxf); plugin: RobotAccount",
        "quota, statistic": f"{_HARBOR}projects.py (harborapi), {_HARBOR}images.py (python-dxf)",
        "retention, immutable": f"{_HARBOR}rules.py, {_HARBOR}images.py; plugin: RetentionPolicy, ImmutableTagRule",
        "webhook": f"{_HARBOR}rules.py (harborapi); plugin: ProjectWebhook",
        "scanner, scanAll": f"{_HARBOR}rules.py (harborapi); plugin: InterrogationServices",
        "registry, label": f"{_HARBOR}projects.py (harborapi); plugin: Registry, Label",
        "repository, artifact": f"{_HARBOR}images.py (harborapi, python-dxf)",
    },
}


def description(name: str) -> dict[str, Any]:
    """Return the OpenAPI document of a stand-in."""

    async def ask(app: ASGIApp) -> dict[str, Any]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            answer: dict[str, Any] = (await client.get("/-/lab/openapi.json")).json()
            return answer

    with tempfile.TemporaryDirectory() as folder:
        configuration = Configuration(
            port=1, url="http://127.0.0.1:1", data=Path(folder), token="", options={"edition": "premium"}
        )
        return asyncio.run(ask(_SERVERS[name](configuration)))


def parts(name: str) -> dict[str, list[str]]:
    """Return the operations of a stand-in (`METHOD METHOD /path`), by part."""
    found: dict[str, dict[str, list[str]]] = {}
    for path, operations in description(name)["paths"].items():
        for method, operation in operations.items():
            part = ", ".join(operation.get("tags") or ["other"])
            found.setdefault(part, {}).setdefault(path, []).append(method.upper())
    return {
        part: [f"{' '.join(sorted(methods))} {path}" for path, methods in paths.items()]
        for part, paths in sorted(found.items())
    }


def table(name: str) -> str:
    """Return the page's section about the endpoints of a stand-in, in Markdown."""
    lines = ["| part | endpoints | proved by |", "| --- | --- | --- |"]
    count = 0
    for part, operations in parts(name).items():
        count += sum(len(operation.split()) - 1 for operation in operations)
        shown = "<br>".join(f"`{operation}`" for operation in operations)
        lines.append(f"| {part} | {shown} | {PROOFS[name].get(part, 'the fuzzer alone')} |")
    return "\n".join([f"{count} operations.", "", *lines])


def fill_in(page: str) -> str:
    """Return the page with the tables as they are now."""
    for name in _SERVERS:
        begin, end = f"<!-- endpoints of {name} -->", f"<!-- end of {name} -->"
        filled = f"{begin}\n{table(name)}\n{end}"
        page = re.sub(f"{begin}.*?{end}", filled.replace("\\", r"\\"), page, flags=re.DOTALL)
    return page


def main() -> int:
    """Write the page."""
    PAGE.write_text(fill_in(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
