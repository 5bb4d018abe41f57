"""The local platforms of the tests: new for each session, on other ports than the developer's platform."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import httpx
import hvac  # type: ignore[import-untyped]
from keycloak import KeycloakAdmin

from lab import platform, process
from lab.engine.plugins import PluginChoice
from lab.environment import environment
from lab.home import CHECKOUT, LabHome
from lab.secrets import Secrets
from lab.servers import SERVERS, keycloak, openbao
from lab.servers.kubernetes import admin_client
from lab.settings import render

PORT_BASE = 28000
LIGHT_PORT_BASE = 27000
PIPELINES_PORT_BASE = 26000


@dataclasses.dataclass
class TestLab:
    """The running platform, and administrators' clients of its servers."""

    __test__ = False
    home: LabHome

    def environment(self) -> dict[str, str]:
        """Return the whole environment for the engine and for clients."""
        return environment(self.home)

    def settings_text(self) -> str:
        """`Pulumi.lab.yaml` with this platform's ports and paths."""
        return render((CHECKOUT / "Pulumi.lab.yaml").read_text(encoding="utf-8"), self.home)

    @cached_property
    def kubernetes(self) -> httpx.Client:
        """The API server, as an administrator."""
        return admin_client(self.home)

    @cached_property
    def keycloak(self) -> KeycloakAdmin:
        """The realm `master`, as an administrator."""
        return keycloak.admin(self.home)

    @cached_property
    def vault(self) -> Any:
        """OpenBao, with the root token."""
        client = hvac.Client(url=openbao.address(self.home), token=Secrets.load(self.home).vault_token)
        client.session.trust_env = False
        return client

    @cached_property
    def gitlab(self) -> httpx.Client:
        """GitLab's API, as an administrator."""
        token = Secrets.load(self.home).gitlab_token
        return self._api(self.home.ports.gitlab, "/api/v4", headers={"PRIVATE-TOKEN": token})

    @cached_property
    def harbor(self) -> httpx.Client:
        """Harbor's API, as an administrator."""
        known = Secrets.load(self.home)
        return self._api(self.home.ports.harbor, "/api/v2.0", auth=(known.harbor_user, known.harbor_password))

    @cached_property
    def sonarqube(self) -> httpx.Client:
        """SonarQube, as an administrator."""
        return self._api(self.home.ports.sonarqube, "", auth=self._bearer)

    def _bearer(self, request: httpx.Request) -> httpx.Request:
        """Send the current token of the platform, because a test renews it."""
        request.headers["Authorization"] = f"Bearer {Secrets.load(self.home).sonarqube_token}"
        return request

    @staticmethod
    def _api(port: int, path: str, **options: Any) -> httpx.Client:
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}{path}", timeout=60, trust_env=False, **options)
        # Harbor treats a client that returns its cookie as a browser.
        client.event_hooks["response"] = [lambda _response: client.cookies.clear()]
        return client

    def start(self, *servers: str) -> None:
        """Start these servers, by default all, unless they run."""
        chosen = [server for server in SERVERS if not servers or server.name in servers]
        platform.up(self.home, plugins=chosen_plugins(), servers=chosen)

    def close(self) -> None:
        """Close the clients, because restarted servers have other credentials."""
        for name in ("kubernetes", "keycloak", "vault", "gitlab", "harbor", "sonarqube"):
            self.__dict__.pop(name, None)


def chosen_plugins() -> PluginChoice:
    """Return the provider plugins that USINE_TEST_PLUGINS selects."""
    return PluginChoice(os.environ.get("USINE_TEST_PLUGINS", "auto"))


@contextmanager
def running(folder: str, port_base: int, servers: Sequence[str] = ()) -> Iterator[TestLab]:
    """Start a new platform in a folder of the checkout, with these servers or all, and stop it at the end."""
    home = LabHome.open(CHECKOUT / folder, port_base)
    platform.reset(home)
    try:
        lab = TestLab(home)
        lab.start(*servers)
        yield lab
        lab.close()
        _no_process_of_an_engine(home)
    finally:
        platform.down(home)


def _no_process_of_an_engine(home: LabHome, patience: float = 15.0) -> None:
    """Check that no engine and no plugin of a killed engine still runs with the credentials of its run."""
    deadline = time.monotonic() + patience
    while left := [pid for pid, value in process.processes_with("PULUMI_HOME") if value == str(home.pulumi_home)]:
        assert time.monotonic() < deadline, f"processes outlived their engine: {left}"
        time.sleep(0.5)
