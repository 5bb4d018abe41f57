"""The real SonarQube of the test platform.

Set `USINE_TEST_LAB_HOME` to the folder of a running platform to use it instead of starting one.
"""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dill  # type: ignore[import-untyped]
import pytest
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.dynamic.dynamic import serialize_provider

from components.sonarqube.dynamic.api import Client
from components.sonarqube.dynamic.provider import URL_KEY, SonarProvider, provider_of
from lab.home import LabHome
from lab.secrets import Secrets
from lab.servers.sonarqube import address

if TYPE_CHECKING:
    from lab.testing.platforms import TestLab

if chosen := os.environ.get("USINE_TEST_LAB_HOME"):

    @pytest.fixture(scope="session")
    def home() -> LabHome:
        """The folder of the platform."""
        return LabHome.open(Path(chosen or ""))

else:

    @pytest.fixture(scope="session")
    def home(lab: TestLab) -> LabHome:
        """The folder of the platform."""
        return lab.home


@dataclass(frozen=True)
class Sonar:
    """The server: its address, a token with all rights, and a client that uses it."""

    home: LabHome
    url: str

    @property
    def token(self) -> str:
        """Return the current token of the platform."""
        return Secrets.load(self.home).sonarqube_token

    @property
    def client(self) -> Client:
        return Client(self.url, environment={"SONAR_TOKEN": self.token})

    def provider(self, kind: str) -> SonarProvider:
        """Return the configured provider, restored from its pickled form as in the plugin's process."""
        unpickled = dill.loads(base64.b64decode(serialize_provider(provider_of(kind))))  # noqa: S301 - made here
        assert isinstance(unpickled, SonarProvider)
        unpickled.configure(ConfigureRequest(Config({URL_KEY: self.url}, "usine")))
        return unpickled


@pytest.fixture(scope="session")
def server(home: LabHome) -> Sonar:
    return Sonar(home, address(home))


@pytest.fixture
def sonar(server: Sonar, monkeypatch: pytest.MonkeyPatch) -> Sonar:
    """The server, with the token in the variable that the provider reads."""
    monkeypatch.setenv("SONAR_TOKEN", server.token)
    return server


@pytest.fixture
def unique() -> str:
    """A unique name."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def project(server: Sonar, unique: str) -> Iterator[str]:
    """The key of a private project, deleted after the test."""
    server.client.post("/api/projects/create", project=unique, name=unique, visibility="private")
    yield unique
    if server.client.get("/api/projects/search", projects=unique)["components"]:
        server.client.post("/api/projects/delete", project=unique)


class Life:
    """One object of a kind. The methods make the engine's provider calls, in the engine's order."""

    def __init__(self, sonar: Sonar, kind: str) -> None:
        self.provider = sonar.provider(kind)
        self.id = ""
        self.inputs: dict[str, Any] = {}
        self.state: dict[str, Any] = {}

    def create(self, **news: Any) -> dict[str, Any]:
        self.inputs = self.provider.check({}, news).inputs
        made = self.provider.create(self.inputs)
        self.id, self.state = made.id, made.outs or {}
        return self.state

    def changes(self, **news: Any) -> bool:
        """Return whether an `up` with these inputs would change the object."""
        checked = self.provider.check(self.inputs, news).inputs
        return bool(self.provider.diff(self.id, self.state, checked).changes)

    def replaces(self, **news: Any) -> list[str]:
        checked = self.provider.check(self.inputs, news).inputs
        return self.provider.diff(self.id, self.state, checked).replaces or []

    def update(self, **news: Any) -> None:
        checked = self.provider.check(self.inputs, news).inputs
        assert self.provider.diff(self.id, self.state, checked).changes
        assert not self.provider.diff(self.id, self.state, checked).replaces
        self.state = self.provider.update(self.id, self.state, checked).outs or {}
        self.inputs = checked

    def refresh(self) -> bool:
        """Read the object as `refresh` does. Returns False if it no longer exists."""
        read = self.provider.read(self.id, self.state)
        if not read.id:
            return False
        self.state, self.inputs = read.outs or {}, read.inputs or {}
        return True

    def imported(self) -> dict[str, Any]:
        """Return the inputs that an import of the id gives."""
        return self.provider.read(self.id, {}).outs or {}

    def delete(self) -> None:
        self.provider.delete(self.id, self.state)


def settled(life: Life, **news: Any) -> None:
    """Assert that the object on the server does not differ from its inputs."""
    before = life.state
    assert not life.changes(**news)
    assert life.refresh()
    assert life.state == before
    assert not life.changes(**news)
