"""The Argo CDs of the platform, from the settings: frozen dataclasses of checked values.

Clusters that pull have an Argo CD of their own, which is none of these (`model.clusters.ClusterPull`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from model.clusters import Cluster

#: The name of the one Argo CD of a platform that does not declare instances. It is a part of no other name. So an
#: instance that the settings call like this one has the objects of the one before it.
ONLY_INSTANCE = "argocd"


@dataclass(frozen=True, slots=True)
class ArgoCDInstance:
    """An Argo CD that deploys to the clusters of its `zones` which the platform reaches (None: to those of all zones).

    It runs on `cluster`, in `namespace`. `url` is its address, without a final slash.
    """

    name: str
    cluster: str
    namespace: str
    url: str
    zones: tuple[str, ...] | None = None

    @property
    def suffix(self) -> str:
        """The end of the logical names of what each Argo CD has; empty for that of a platform with one."""
        return "" if self.name == ONLY_INSTANCE else f"/instance/{self.name}"

    def deploys_to(self, cluster: Cluster) -> bool:
        """Return whether it deploys to a cluster."""
        return cluster.pull is None and (self.zones is None or cluster.zone in self.zones)


@dataclass(frozen=True, slots=True)
class ArgoCDSettings:
    """`instances` deploy to distinct zones; they are in the order of their names.

    Members of `admin_groups`, as Keycloak names them, administer all of them. `charts` are the chart repositories that
    tenants may deploy from: the address by name, ``https://`` (a Helm repository) or ``oci://`` (a path of a registry).
    No name is `model.repository.OWN_REGISTRY`.
    """

    instances: tuple[ArgoCDInstance, ...]
    admin_groups: tuple[str, ...] = ()
    charts: Mapping[str, str] = field(default_factory=dict)

    @property
    def namespaces(self) -> frozenset[str]:
        """The namespaces that they run in."""
        return frozenset(instance.namespace for instance in self.instances)

    def of(self, cluster: Cluster) -> ArgoCDInstance | None:
        """Return the one that deploys to a cluster; None for a cluster that pulls."""
        return next((instance for instance in self.instances if instance.deploys_to(cluster)), None)

    def having(self, clusters: Collection[Cluster]) -> tuple[ArgoCDInstance, ...]:
        """Return those that have objects of a tenant whose environments are on these clusters.

        The only one has objects of every tenant, also of one without environments.
        """
        if len(self.instances) == 1:
            return self.instances
        found = [self.of(cluster) for cluster in clusters]
        return tuple(instance for instance in self.instances if instance in found)

    @property
    def pulling_reader(self) -> str:
        """The name by which the Argo CDs of clusters that pull read repositories."""
        return self.instances[0].name if len(self.instances) == 1 else ONLY_INSTANCE

    def readers(self, clusters: Collection[Cluster]) -> tuple[str, ...]:
        """Return the names that have a credential of a tenant's repositories; `clusters` as for `having`, sorted."""
        pulled = {self.pulling_reader} if any(cluster.pull is not None for cluster in clusters) else set()
        return tuple(sorted({instance.name for instance in self.having(clusters)} | pulled))
