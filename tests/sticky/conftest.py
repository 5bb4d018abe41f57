"""A running stand-in GitLab with a project of the platform, its bot, and a merge request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from lab.testing.ci_client import commit
from lab.testing.gitlab_server import LiveGitLab, live_gitlab
from lab.testing.names import name


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGitLab]:
    with live_gitlab(tmp_path_factory.mktemp("gitlab")) as server:
        yield server


@dataclass
class Forge:
    """A project as root sees it, a merge request of it, and the environment of its pipeline with the bot's token."""

    live: LiveGitLab
    project: Any
    request: Any
    environment: dict[str, str] = field(repr=False)

    def notes(self) -> list[Any]:
        return list(self.request.notes.list(get_all=True, sort="asc"))

    def issues(self) -> list[Any]:
        return list(self.project.issues.list(get_all=True, sort="asc", scope="all"))

    def bot(self) -> Any:
        """The project as the bot sees it."""
        return self.live.client(self.environment["USINE_GITLAB_TOKEN"]).projects.get(self.project.id)


@pytest.fixture
def forge(live: LiveGitLab) -> Forge:
    group = live.root.groups.create({"name": name("g"), "path": name("g")})
    project = live.root.projects.create(
        {"name": name("p"), "namespace_id": group.id, "initialize_with_readme": True, "visibility": "private"}
    )
    head = commit(project, {"change.txt": "one\n"}, branch="side", start_branch="main")
    request = project.mergerequests.create({"source_branch": "side", "target_branch": "main", "title": "A change"})
    # As documented: a reporter's token, of this project only.
    token = project.access_tokens.create(
        {"name": "usine", "scopes": ["api"], "access_level": 20, "expires_at": "2027-01-31"}
    )
    environment = {
        "CI_API_V4_URL": f"{live.url}/api/v4",
        "CI_PROJECT_ID": str(project.id),
        "CI_MERGE_REQUEST_PROJECT_ID": str(project.id),
        "CI_MERGE_REQUEST_IID": str(request.iid),
        "CI_COMMIT_SHA": head,
        "CI_PIPELINE_URL": f"{live.url}/{project.path_with_namespace}/-/pipelines/7",
        "USINE_GITLAB_TOKEN": token.token,
    }
    return Forge(live, project, request, environment)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Return the requests since the last call that are no GET: method and path."""
    seen: list[str] = []
    send = requests.Session.send

    def watch(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if request.method != "GET":
            seen.append(f"{request.method} {request.path_url}")
        return send(self, request, **options)

    monkeypatch.setattr(requests.Session, "send", watch)

    def take() -> list[str]:
        taken = list(seen)
        seen.clear()
        return taken

    return take
