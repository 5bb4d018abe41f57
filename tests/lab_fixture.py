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

    def close(self) -> None:
        for name in ("kubernetes", "keycloak", "vault"):
            self.__dict__.pop(name, None)


def home_of_tests() -> LabHome:
    """Folder and ports of the test platform: never those of the developer's own."""
    return LabHome.open(CHECKOUT / ".lab-test", PORT_BASE)
