"""A running stand-in GitLab for all tests, and its python-gitlab clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gitlab
import pytest

from lab.testing.gitlab_server import LiveGitLab, live_gitlab
from lab.testing.names import name


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGitLab]:
    with live_gitlab(tmp_path_factory.mktemp("gitlab")) as server:
        yield server


@pytest.fixture(scope="session")
def premium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGitLab]:
    with live_gitlab(tmp_path_factory.mktemp("gitlab-premium"), edition="premium") as server:
        yield server


@pytest.fixture
def group(live: LiveGitLab) -> Any:
    return live.root.groups.create({"name": name("g"), "path": name("g")})


@pytest.fixture
def project(live: LiveGitLab, group: Any) -> Any:
    return live.root.projects.create({"name": name("p"), "namespace_id": group.id})


@pytest.fixture
def seeded(live: LiveGitLab, group: Any) -> Any:
    """Return a private project with a first commit."""
    return live.root.projects.create({"name": name("p"), "namespace_id": group.id, "initialize_with_readme": True})


@pytest.fixture
def someone(live: LiveGitLab) -> Callable[[], tuple[Any, gitlab.Gitlab]]:
    """Return a function that creates a user and a client with the user's token."""

    def make() -> tuple[Any, gitlab.Gitlab]:
        login = name("u")
        content = {"username": login, "name": login, "email": f"{login}@example.com", "force_random_password": True}
        user = live.root.users.create(content)
        token = user.personal_access_tokens.create({"name": "t", "scopes": ["api"]})
        return user, live.client(token.token)

    return make
