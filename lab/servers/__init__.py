"""The servers of the local platform. To add one, write a module with a subclass of `Server` and add a line here."""

from __future__ import annotations

from typing import Final

from lab.servers.argocd import ArgoCd
from lab.servers.base import Context, Server
from lab.servers.etcd import Etcd
from lab.servers.gitlab import GitLab
from lab.servers.harbor import Harbor
from lab.servers.keycloak import Keycloak
from lab.servers.kubernetes import KubeApiServer, KubeControllerManager
from lab.servers.openbao import OpenBao
from lab.servers.registry import Registry
from lab.servers.sonarqube import SonarQube

__all__ = ["SERVERS", "Context", "Server"]

#: In a possible start order. They stop in the reverse order.
SERVERS: Final[tuple[Server, ...]] = (
    GitLab(),
    Registry(),
    Harbor(),
    OpenBao(),
    Keycloak(),
    Etcd(),
    KubeApiServer(),
    KubeControllerManager(),
    ArgoCd(),
    SonarQube(),
)
