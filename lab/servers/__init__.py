"""The servers of the local platform. To add one, write a module with a subclass of `LabServer` and add a line here."""

from __future__ import annotations

from typing import Final

from lab.servers.argocd import ArgoCd
from lab.servers.base import Context, LabServer
from lab.servers.etcd import EtcdServer
from lab.servers.external_secrets import ExternalSecrets
from lab.servers.gitlab import GitLabServer
from lab.servers.grafana import GrafanaNamespace
from lab.servers.harbor import HarborServer
from lab.servers.keycloak import KeycloakServer
from lab.servers.kubernetes import KubeApiServer, KubeControllerManager
from lab.servers.kyverno import Kyverno
from lab.servers.monitoring import PrometheusOperator
from lab.servers.openbao import OpenBaoServer
from lab.servers.registry import RegistryServer
from lab.servers.sonarqube import SonarQubeServer
from lab.servers.velero import Velero

__all__ = ["SERVERS", "Context", "LabServer"]

#: In a possible start order. They stop in the reverse order.
SERVERS: Final[tuple[LabServer, ...]] = (
    GitLabServer(),
    RegistryServer(),
    HarborServer(),
    OpenBaoServer(),
    KeycloakServer(),
    EtcdServer(),
    KubeApiServer(),
    KubeControllerManager(),
    ArgoCd(),
    ExternalSecrets(),
    PrometheusOperator(),
    Kyverno(),
    Velero(),
    GrafanaNamespace(),
    SonarQubeServer(),
)
