"""The local platform of the tests: one of its own, on its own ports, fresh for each session."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

import httpx
import hvac  # type: ignore[import-untyped]
from keycloak import KeycloakAdmin

from lab.environment import environment
from lab.home import CHECKOUT, LabHome
from lab.secrets import Secrets
from lab.servers import keycloak, openbao
from lab.servers.kubernetes import admin_client
from lab.settings import render

PORT_BASE = 28000


@dataclasses.dataclass
class TestLab:
    """The running platform, and clients of its servers with all rights."""

    __test__ = False
    home: LabHome

    def environment(self) -> dict[str, str]:
        """The whole environment for the engine and for clients."""
        return environment(self.home)

    def settings_text(self) -> str:
        """`Pulumi.lab.yaml` with this platform's ports and paths."""
        return render((CHECKOUT / "Pulumi.lab.yaml").read_text(encoding="utf-8"), self.home)

    @cached_property
    def kubernetes(self) -> httpx.Client:
        return admin_client(self.home)

    @cached_property
    def keycloak(self) -> KeycloakAdmin:
        return keycloak.admin(self.home)

    @cached_property
    def vault(self) -> Any:
        client = hvac.Client(url=openbao.address(self.home), token=Secrets.load(self.home).vault_token)
        client.session.trust_env = False
        return client

    @cached_property
    def gitlab(self) -> httpx.Client:
        token = Secrets.load(self.home).gitlab_token
        return self._api(self.home.ports.gitlab, "/api/v4", headers={"PRIVATE-TOKEN": token})

    @cached_property
    def harbor(self) -> httpx.Client:
        known = Secrets.load(self.home)
        return self._api(self.home.ports.harbor, "/api/v2.0", auth=(known.harbor_user, known.harbor_password))

    @cached_property
    def sonarqube(self) -> httpx.Client:
        token = Secrets.load(self.home).sonarqube_token
        return self._api(self.home.ports.sonarqube, "", headers={"Authorization": f"Bearer {token}"})

    @staticmethod
    def _api(port: int, path: str, **options: Any) -> httpx.Client:
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}{path}", timeout=60, trust_env=False, **options)
        # Harbor takes who sends its cookie back for a browser.
        client.event_hooks["response"] = [lambda _response: client.cookies.clear()]
        return client

    def close(self) -> None:
        for name in ("kubernetes", "keycloak", "vault", "gitlab", "harbor", "sonarqube"):
            self.__dict__.pop(name, None)


def home_of_tests() -> LabHome:
    """Folder and ports of the test platform: never those of the developer's own."""
    return LabHome.open(CHECKOUT / ".lab-test", PORT_BASE)
