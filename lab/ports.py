"""The TCP ports of one local platform. All derive from one base, so two platforms can run side by side."""

from __future__ import annotations

from dataclasses import dataclass

#: The default base, which `Pulumi.lab.yaml` uses.
DEFAULT_BASE = 18000
_LOWEST, _HIGHEST = 1024, 64000


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports of every server. Raises ValueError when the base is outside the unprivileged range."""

    base: int = DEFAULT_BASE

    def __post_init__(self) -> None:
        """Check the range."""
        if not _LOWEST <= self.base <= _HIGHEST:
            raise ValueError(f"port base {self.base} is not between {_LOWEST} and {_HIGHEST}")

    @property
    def openbao(self) -> int:
        """OpenBao's API, http."""
        return self.base + 200

    @property
    def openbao_cluster(self) -> int:
        """OpenBao's port for other nodes of its cluster."""
        return self.base + 201

    @property
    def keycloak(self) -> int:
        """Keycloak, https."""
        return self.base + 443

    @property
    def keycloak_management(self) -> int:
        """Keycloak's health checks, https."""
        return self.base + 444

    @property
    def kube_apiserver(self) -> int:
        """The Kubernetes API, https."""
        return self.base + 644

    @property
    def etcd(self) -> int:
        """Etcd for its clients, https."""
        return self.base + 379

    @property
    def etcd_peer(self) -> int:
        """Etcd for other members."""
        return self.base + 380

    @property
    def kube_controller_manager(self) -> int:
        """The Kubernetes controllers' health checks, https."""
        return self.base + 657

    @property
    def gitlab(self) -> int:
        """GitLab's API and repositories, http."""
        return self.base + 80

    @property
    def harbor(self) -> int:
        """Harbor's API and registry, http."""
        return self.base + 85

    @property
    def registry(self) -> int:
        """The registry behind Harbor, http."""
        return self.base + 86

    @property
    def sonarqube(self) -> int:
        """SonarQube, http."""
        return self.base + 90

    @property
    def sonarqube_search(self) -> int:
        """SonarQube's search engine, http."""
        return self.base + 91

    @property
    def sonarqube_database(self) -> int:
        """SonarQube's embedded database, for its own processes."""
        return self.base + 92

    @property
    def monitoring(self) -> range:
        """The Prometheus operator, Prometheus and Alertmanager, which only a test starts, http."""
        return range(self.base + 900, self.base + 910)

    @property
    def argocd(self) -> range:
        """Argo CD's controllers, its repository server and its Redis, which only a test starts."""
        return range(self.base + 910, self.base + 917)
