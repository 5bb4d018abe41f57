"""Inventory of monitoring: receivers, rules and monitors in tenants' namespaces, and for tenants in Argo CD's; all of
the namespace of Grafana.

Where a cluster's `operators` open monitors and rules, those of the team are its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from model.argocd import ArgoCDInstance
from model.clusters import Operator
from model.naming import GRAFANA_PREFIX, TENANT_LABEL
from model.settings import GrafanaSettings, System
from usine.clients import Connections
from usine.clients.kubernetes import NAMESPACE, KubernetesKind
from usine.drift.inventory.base import Found, InventoryScan, InventoryScope
from usine.drift.inventory.kubernetes_api import ClusterServer, found, has_our_label, refuse, servers, tenants_on

_GROUP: Final = "monitoring.coreos.com"


def _kind(kind: str, version: str = "v1") -> KubernetesKind:
    return KubernetesKind(f"kubernetes:{_GROUP}/{version}:{kind}", f"apis/{_GROUP}/{version}", f"{kind.lower()}s")


_RECEIVERS: Final = _kind("AlertmanagerConfig", "v1alpha1")
_RULES: Final = _kind("PrometheusRule")
#: Only the platform creates the first ones; teams create the others, if the cluster opens them.
_PLATFORM: Final = (_RECEIVERS, _kind("Probe"), _kind("ScrapeConfig", "v1alpha1"))
_OPENED: Final = (_RULES, _kind("ServiceMonitor"), _kind("PodMonitor"))
_DETAILS: Final = {
    _RECEIVERS: "sends alerts of the namespace to addresses that no tenant file names",
    _RULES: "rules that the tenant file does not ask for",
}


#: What runs or is reached in the namespace of Grafana, where everything is the program's.
_GRAFANA: Final = (
    *(
        KubernetesKind(f"kubernetes:core/v1:{kind}", "api/v1", plural)
        for kind, plural in (("ConfigMap", "configmaps"), ("Service", "services"), ("Pod", "pods"))
    ),
    *(
        KubernetesKind(f"kubernetes:apps/v1:{kind}", "apis/apps/v1", f"{kind.lower()}s")
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
    ),
    *(
        KubernetesKind(f"kubernetes:batch/v1:{kind}", "apis/batch/v1", f"{kind.lower()}s")
        for kind in ("CronJob", "Job")
    ),
    *(
        KubernetesKind(f"kubernetes:networking.k8s.io/v1:{kind}", "apis/networking.k8s.io/v1", plural)
        for kind, plural in (("Ingress", "ingresses"), ("NetworkPolicy", "networkpolicies"))
    ),
)
#: Config maps that Kubernetes and OpenShift create in every namespace.
_IN_EVERY_NAMESPACE: Final = frozenset({"kube-root-ca.crt", "openshift-service-ca.crt"})


class ObservabilityInventory:
    """Lists the monitoring objects of every API server of the stack's clusters."""

    def __init__(self, scope: InventoryScope, connections: Connections) -> None:
        """Keep the scope and the connections; nothing is sent yet."""
        self._scope = scope
        self._connections = connections

    def scans(self) -> Iterable[InventoryScan]:
        """See `SystemInventory`."""
        for server in servers(self._scope, self._connections):
            if not isinstance(server, ClusterServer):
                cluster, error = server
                yield InventoryScan(tenants_on(self._scope, (cluster,)), partial(refuse, error))
                continue
            tenants = tenants_on(self._scope, server.clusters)
            for kind in (*_PLATFORM, *_OPENED):
                yield InventoryScan(tenants, partial(self._in_namespaces, server, kind))
            for argocd in self._scope.settings.argocd.instances if self._scope.settings.on(System.ARGOCD) else ():
                if argocd.cluster in server.clusters:
                    for kind in (_RECEIVERS, _RULES):
                        yield InventoryScan(self._scope.everyone, partial(self._for_deployments, server, kind, argocd))
            grafana = self._scope.settings.observability.grafana
            if grafana is not None and grafana.cluster in server.clusters:
                for kind in _GRAFANA:
                    yield InventoryScan(self._scope.everyone, partial(self._of_grafana, server, kind, grafana))

    def _of_grafana(self, server: ClusterServer, kind: KubernetesKind, grafana: GrafanaSettings) -> Iterator[Found]:
        """Everything in the namespace of Grafana: from there, the stores answer for any tenant."""
        for item in server.client.items(kind, grafana.namespace):
            metadata = item["metadata"]
            if metadata.get("ownerReferences") or metadata["name"] in _IN_EVERY_NAMESPACE:
                continue
            label = (metadata.get("labels") or {}).get(TENANT_LABEL)
            named = metadata["name"].partition(".")[0].removeprefix(GRAFANA_PREFIX)
            tenant = next((slug for slug in (label, named) if slug in self._scope.slugs), None)
            id_ = f"{grafana.namespace}/{metadata['name']}"
            if self._scope.includes(tenant) and not self._scope.knows(kind.type, id_):
                detail = "in the namespace of Grafana, where the stores answer for any tenant"
                yield self._found(grafana.cluster, tenant, kind, id_, detail)

    def _in_namespaces(self, server: ClusterServer, kind: KubernetesKind) -> Iterator[Found]:
        """Objects of a kind in the tenants' namespaces that the state has."""
        clusters = {f"kubernetes-{cluster}": cluster for cluster in server.clusters}
        namespaces = (r for r in self._scope.every(NAMESPACE.type) if r.provider in clusters)
        ours = {r.id: (r.tenant, clusters[r.provider]) for r in namespaces}
        wanted = (None,) if self._scope.foundation else tuple(ours)
        for item in (item for namespace in wanted for item in server.client.items(kind, namespace)):
            metadata = item["metadata"]
            tenant, cluster = ours.get(metadata["namespace"], (None, ""))
            if tenant is None:
                continue
            opened = Operator.MONITORING in self._scope.settings.clusters[cluster].operators
            if kind in _OPENED and opened and not has_our_label(item):
                continue
            id_ = f"{metadata['namespace']}/{metadata['name']}"
            if not self._scope.knows(kind.type, id_):
                yield self._found(cluster, tenant, kind, id_, _DETAILS.get(kind, ""))

    def _for_deployments(self, server: ClusterServer, kind: KubernetesKind, argocd: ArgoCDInstance) -> Iterator[Found]:
        """Objects with a tenant's label or name in the namespace of an Argo CD."""
        for item in server.client.items(kind, argocd.namespace):
            metadata = item["metadata"]
            label, name = (metadata.get("labels") or {}).get(TENANT_LABEL), metadata["name"]
            tenant = next((slug for slug in (label, name) if slug in self._scope.slugs), None)
            id_ = f"{argocd.namespace}/{name}"
            if tenant is not None and not self._scope.knows(kind.type, id_, f"kubernetes-{argocd.cluster}"):
                yield self._found(argocd.cluster, tenant, kind, id_, _DETAILS.get(kind, ""))

    def _found(self, cluster: str, tenant: str | None, kind: KubernetesKind, id_: str, detail: str) -> Found:
        return found(self._scope, System.OBSERVABILITY, cluster, tenant, kind, id_, detail)
