"""A running stand-in Harbor for all tests, for images also with the real registry."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from harborapi import HarborAsyncClient

from lab.standins.harbor.app import create_app
from lab.standins.serve import LOOPBACK, Configuration
from lab.testing.names import name
from lab.testing.ports import free_port
from lab.testing.served import served

PASSWORD = "Harbor-12345-of-these-tests"
_PATIENCE = 20.0
T = TypeVar("T")


@dataclass(frozen=True)
class LiveHarbor:
    """A server and its administrator."""

    url: str
    data: Path
    password: str = PASSWORD
    #: Kills and restarts the server, if it is a separate process.
    kill_and_start: Callable[[], None] = lambda: None

    def http(self, user: str | None = "admin", secret: str | None = None) -> httpx.Client:
        """Return a plain client of the API that stores no cookies; without a user, it is anonymous."""
        auth = None if user is None else httpx.BasicAuth(user, secret or self.password)
        return _Forgetful(base_url=f"{self.url}/api/v2.0", auth=auth, timeout=30, trust_env=False)

    def client(self, user: str = "admin", secret: str | None = None) -> HarborAsyncClient:
        """Return a client of `harborapi`."""
        return HarborAsyncClient(url=f"{self.url}/api/v2.0", username=user, secret=secret or self.password)


class _Forgetful(httpx.Client):
    """A session that stores no cookies: with Harbor's session cookie it would need a CSRF token."""

    def send(self, *args: Any, **kwargs: Any) -> httpx.Response:
        answer = super().send(*args, **kwargs)
        self.cookies.clear()
        return answer


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of `harborapi`."""
    return asyncio.run(work)


@contextmanager
def live_harbor(data: Path, *, port: int | None = None, **options: Any) -> Iterator[LiveHarbor]:
    """Serve a Harbor with these options in a thread."""
    if port is None:
        port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    app = create_app(Configuration(port, url, data, PASSWORD, options))
    with served(app, port):
        yield LiveHarbor(url, data)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHarbor]:
    with live_harbor(tmp_path_factory.mktemp("harbor")) as server:
        yield server


@pytest.fixture
def api(live: LiveHarbor) -> Iterator[httpx.Client]:
    with live.http() as client:
        yield client


@pytest.fixture(scope="session")
def imaging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHarbor]:
    """Run Harbor and the registry as separate processes, like the platform."""
    from lab import parts, pki, process  # noqa: PLC0415 - only tests with images need them
    from lab.home import LabHome  # noqa: PLC0415 - only tests with this fixture need it
    from lab.reporter import Lines  # noqa: PLC0415 - only tests with this fixture need it
    from lab.secrets import Secrets  # noqa: PLC0415 - only tests with this fixture need it
    from lab.servers.base import Context  # noqa: PLC0415 - only tests with this fixture need it
    from lab.servers.harbor import HarborServer, address  # noqa: PLC0415 - only tests with this fixture need it
    from lab.servers.registry import RegistryServer  # noqa: PLC0415 - only tests with this fixture need it

    home = LabHome.open(tmp_path_factory.mktemp("lab"), free_port(85, 86))  # offsets of Harbor and the registry
    secrets = Secrets.ensure(home)
    context = Context(home, parts.ensure(["registry"], reporter=Lines()), pki.ensure(home))
    started = (RegistryServer(), HarborServer())
    try:
        for server in started:
            server.up(context)

        def kill_and_start() -> None:
            for server in started:
                found = process.running(home, server.name)
                assert found is not None
                os.kill(found.pid, signal.SIGKILL)
            for server in started:
                context.wait(lambda name=server.name: process.running(home, name) is None, _PATIENCE, "its end")  # type: ignore[misc]  # bound
                server.up(context)

        yield LiveHarbor(address(home), home.root, secrets.harbor_password, kill_and_start)
    finally:
        for server in reversed(started):
            server.down(home)


def robot_body(project: str, *accesses: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Return the body of a project's robot with (resource, action) pairs."""
    access = [{"resource": resource, "action": action} for resource, action in accesses]
    permission = {"kind": "project", "namespace": project, "access": access}
    return {"name": name("r"), "level": "project", "duration": 30, "permissions": [permission], **more}


@pytest.fixture
def project(api: httpx.Client) -> Callable[..., tuple[int, str]]:
    """Return a function that creates a project and returns its number and name."""
    return lambda **body: make_project(api, **body)


def make_project(api: httpx.Client, **body: Any) -> tuple[int, str]:
    called = name("p")
    answer = api.post("/projects", json={"project_name": called, **body})
    assert answer.status_code == 201, answer.text
    return int(answer.headers["Location"].rpartition("/")[2]), called


def refused(answer: httpx.Response, status: int, code: str, text: str = "") -> None:
    """Assert that an answer is Harbor's error model with this code and text."""
    assert answer.status_code == status, answer.text
    (error,) = answer.json()["errors"]
    assert error["code"] == code
    assert text in error["message"]
