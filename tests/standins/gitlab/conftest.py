"""A live stand-in GitLab for all tests, and python-gitlab clients of it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gitlab
import httpx
import pytest
import uvicorn

from lab.standins.faults import Faults
from lab.standins.gitlab.app import application
from lab.standins.gitlab.site import Site
from lab.standins.serve import LOOPBACK, Configuration
from tests.ports import free_port

ROOT_TOKEN = "glpat-root-of-these-tests-5d21"
_PATIENCE = 20.0


@dataclass(frozen=True)
class Live:
    """A server and its administrator."""

    url: str
    data: Path
    root: gitlab.Gitlab
    site: Site

    def client(self, token: str, **options: Any) -> gitlab.Gitlab:
        """A client with a token."""
        return gitlab.Gitlab(self.url, private_token=token, retry_transient_errors=False, **options)

    def http(self, token: str | None = ROOT_TOKEN) -> httpx.Client:
        """A plain client, for what python-gitlab hides."""
        headers = {"PRIVATE-TOKEN": token} if token else {}
        return httpx.Client(base_url=f"{self.url}/api/v4", headers=headers, timeout=30, trust_env=False)


@contextmanager
def live_gitlab(data: Path, **options: Any) -> Iterator[Live]:
    """Serve a GitLab with these options from a thread."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    site = Site.open(Configuration(port, url, data, ROOT_TOKEN, options))
    app = Faults(application(site, ROOT_TOKEN), token=ROOT_TOKEN)
    server = uvicorn.Server(uvicorn.Config(app, host=LOOPBACK, port=port, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + _PATIENCE
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline, "the stand-in GitLab does not start"
        time.sleep(0.01)
    try:
        yield Live(url, data, gitlab.Gitlab(url, private_token=ROOT_TOKEN), site)
    finally:
        server.should_exit = True
        thread.join(_PATIENCE)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_gitlab(tmp_path_factory.mktemp("gitlab")) as server:
        yield server


@pytest.fixture(scope="session")
def premium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_gitlab(tmp_path_factory.mktemp("gitlab-premium"), edition="premium") as server:
        yield server


def name(prefix: str = "x") -> str:
    """A name nothing else has."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def group(live: Live) -> Any:
    return live.root.groups.create({"name": name("g"), "path": name("g")})


@pytest.fixture
def project(live: Live, group: Any) -> Any:
    return live.root.projects.create({"name": name("p"), "namespace_id": group.id})


@pytest.fixture
def someone(live: Live) -> Callable[[], tuple[Any, gitlab.Gitlab]]:
    """Makes a user and a client with their token."""

    def make() -> tuple[Any, gitlab.Gitlab]:
        login = name("u")
        content = {"username": login, "name": login, "email": f"{login}@example.com", "force_random_password": True}
        user = live.root.users.create(content)
        token = user.personal_access_tokens.create({"name": "t", "scopes": ["api"]})
        return user, live.client(token.token)

    return make
