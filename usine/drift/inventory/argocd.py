"""Inventory of Argo CD: projects, applications, and credentials of repositories and clusters."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from model.argocd import ArgoCDInstance
from model.settings import System
from usine.clients import ClientError, Connections
from usine.clients.base import Json
from usine.clients.kubernetes import SECRET, KubernetesKind
from usine.drift.inventory.base import Found, InventoryScan, InventoryScope
from usine.drift.inventory.kubernetes_api import ClusterServer, found, namespace_owner, refuse

_API: Final = "apis/argoproj.io/v1alpha1"
_TYPE: Final = "kubernetes:argoproj.io/v1alpha1"
_PROJECT: Final = KubernetesKind(f"{_TYPE}:AppProject", _API, "appprojects")
_APPLICATION: Final = KubernetesKind(f"{_TYPE}:Application", _API, "applications", metadata=False)
_APPLICATION_SET: Final = KubernetesKind(f"{_TYPE}:ApplicationSet", _API, "applicationsets")
_APPLICATION_SET_KIND: Final = "ApplicationSet"
_CLUSTER_SECRET: Final = KubernetesKind(SECRET.type, SECRET.api, SECRET.plural, metadata=False)
_SECRET_TYPE: Final = "argocd.argoproj.io/secret-type"  # noqa: S105 - a label
#: Argo CD creates this project when it starts, and again after a deletion.
_OWN_PROJECT: Final = "default"
#: Argo CD's address of the cluster that it runs on.
_OWN_CLUSTER: Final = "https://kubernetes.default.svc"
_REPOSITORY_PREFIX: Final = "usine-"


class ArgoCDInventory:
    """Lists the objects of the namespaces that the Argo CDs of the platform run in."""

    def __init__(self, scope: InventoryScope, connections: Connections) -> None:
        """Keep the scope and the connections; nothing is sent yet."""
        self._scope = scope
        self._connections = connections

    def scans(self) -> Iterable[InventoryScan]:
        """See `SystemInventory`."""
        for instance in self._scope.settings.argocd.instances:
            cluster = self._scope.settings.clusters[instance.cluster]
            try:
                client = self._connections.kubernetes(cluster)
            except ClientError as error:
                yield InventoryScan(self._scope.everyone, partial(refuse, error))
                continue
            yield from _InstanceInventory(self._scope, instance, ClusterServer((cluster.name,), client)).scans()


class _InstanceInventory:
    """Lists the objects of one Argo CD. An object that another one has by the same name is not its own."""

    def __init__(self, scope: InventoryScope, instance: ArgoCDInstance, server: ClusterServer) -> None:
        self._scope = scope
        self._instance = instance
        self._server = server
        self._provider = f"kubernetes-{instance.cluster}"

    def scans(self) -> Iterable[InventoryScan]:
        takes = (self._projects, self._applications, self._application_sets, self._repositories, self._clusters)
        return [InventoryScan(self._scope.everyone, take) for take in takes]

    def _items(self, resource: KubernetesKind, **query: str) -> Iterator[tuple[str, Json]]:
        """Yield the objects that are not in the state, each with its name."""
        for item in self._server.client.items(resource, self._instance.namespace, **query):
            name = item["metadata"]["name"]
            if not self._knows(resource, name):
                yield name, item

    def _knows(self, resource: KubernetesKind, name: str) -> bool:
        return self._scope.knows(resource.type, f"{self._instance.namespace}/{name}", self._provider)

    def _projects(self) -> Iterator[Found]:
        for name, _ in self._items(_PROJECT):
            if name != _OWN_PROJECT:
                yield self._found(
                    namespace_owner(self._scope, name), _PROJECT, name, "defines what may be deployed where"
                )

    def _applications(self) -> Iterator[Found]:
        """Applications belong to the owner of their project. Those of an application set count with the set.

        A set makes applications of one project, and their names begin with its own. Any other application that names a
        set as its owner was changed, or only claims the owner.
        """
        for name, item in self._items(_APPLICATION):
            spec = item["spec"]
            if self._is_generated(name, item):
                continue
            to = (spec.get("destination") or {}).get("namespace") or "no namespace"
            owner = namespace_owner(self._scope, str(spec["project"])) or self._owner(name)
            yield self._found(owner, _APPLICATION, name, f"deploys into {to}, by project {spec['project']}")

    def _is_generated(self, name: str, item: Json) -> bool:
        """Return whether an application is one that its application set makes; a set of others may make any."""
        for owner in item["metadata"].get("ownerReferences") or ():
            if owner.get("kind") != _APPLICATION_SET_KIND:
                continue
            by = str(owner.get("name"))
            if not self._knows(_APPLICATION_SET, by):
                return True
            return name.startswith(f"{by}.") and str(item["spec"]["project"]) == by.partition("--")[0]
        return False

    def _application_sets(self) -> Iterator[Found]:
        for name, _ in self._items(_APPLICATION_SET):
            yield self._found(self._owner(name), _APPLICATION_SET, name, "makes applications")

    def _repositories(self) -> Iterator[Found]:
        selector = f"{_SECRET_TYPE} in (repository,repo-creds,repository-write,repo-write-creds)"
        for name, _ in self._items(SECRET, labelSelector=selector):
            owner = self._owner(name.removeprefix(_REPOSITORY_PREFIX))
            yield self._found(owner, SECRET, name, "a credential of repositories")

    def _clusters(self) -> Iterator[Found]:
        """Clusters that applications can be deployed to, without those of its zones, which a person registers."""
        clusters = self._scope.settings.clusters.values()
        known = {cluster.server for cluster in clusters if self._instance.deploys_to(cluster)} | {_OWN_CLUSTER}
        for name, item in self._items(_CLUSTER_SECRET, labelSelector=f"{_SECRET_TYPE}=cluster"):
            address = base64.b64decode((item.get("data") or {}).get("server") or "").decode(errors="replace")
            if address.rstrip("/") not in known:
                yield self._found(None, SECRET, name, f"the credential of a cluster, {address or 'no address'}")

    def _owner(self, name: str) -> str | None:
        """Return the tenant of a name that begins with ``<slug>``, its environment if any, and two dashes."""
        front = name.partition("--")[0].partition(".")[0]
        return front if front in self._scope.slugs else namespace_owner(self._scope, front)

    def _found(self, tenant: str | None, resource: KubernetesKind, name: str, detail: str) -> Found:
        id_ = f"{self._instance.namespace}/{name}"
        return found(self._scope, System.ARGOCD, self._instance.cluster, tenant, resource, id_, detail)
