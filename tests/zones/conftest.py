"""A stand-in GitLab with the repository of a zone, as the foundation makes it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.testing.gitlab_server import LiveGitLab, live_gitlab
from model.settings import Settings
from tests.zones.values import ZONE, pulling
from usine.clients import Connections
from usine.zones.repository import ZoneRepository


@dataclass
class Zone:
    """The repository as an administrator sees it, the settings that name it, and the token that reports."""

    live: LiveGitLab
    project: Any
    settings: Settings
    token: str = field(repr=False)

    @property
    def connections(self) -> Connections:
        return Connections(self.settings.endpoints, {"GITLAB_TOKEN": self.live.token})

    @property
    def repository(self) -> ZoneRepository:
        return ZoneRepository(self.connections.gitlab(), self.settings.gitlab, ZONE)

    @property
    def head(self) -> str:
        return str(self.project.branches.get("main").commit["id"])

    def paths(self) -> set[str]:
        return {
            one["path"] for one in self.project.repository_tree(recursive=True, get_all=True) if one["type"] == "blob"
        }

    def report(self, state: str, sha: str | None = None, token: str = "") -> None:
        """Report as the zone's Argo CD does."""
        project = self.live.client(token or self.token).projects.get(self.project.id)
        commit = project.commits.get(sha or self.head, lazy=True)
        commit.statuses.create({"state": state, "name": "usine/prod-1", "ref": "argocd", "description": state})


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGitLab]:
    with live_gitlab(tmp_path_factory.mktemp("gitlab")) as server:
        yield server


@pytest.fixture
def zone(live: LiveGitLab) -> Iterator[Zone]:
    root = live.root
    platform = root.groups.create({"name": "Platform", "path": "platform"})
    zones = root.groups.create({"name": "Zones", "path": "zones", "parent_id": platform.id})
    project = root.projects.create(
        {"name": ZONE, "path": ZONE, "namespace_id": zones.id, "initialize_with_readme": True, "default_branch": "main"}
    )
    project.protectedbranches.delete("main")
    project.protectedbranches.create({"name": "main", "push_access_level": 60, "merge_access_level": 60})
    ends = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)).date().isoformat()
    token = project.access_tokens.create(
        {"name": "usine-report", "scopes": ["api"], "access_level": 30, "expires_at": ends}
    )
    yield Zone(live, project, pulling(live.url), token.token)
    project.delete()
    root.groups.delete(zones.id)
    root.groups.delete(platform.id)
