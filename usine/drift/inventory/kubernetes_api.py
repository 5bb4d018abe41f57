"""What the inventories of Kubernetes and Argo CD share: API servers, owners of names, findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from model.lifecycle import clusters_in_use
from model.naming import MANAGED_BY_LABEL
from model.settings import System
from usine.clients import ClientError, Connections
from usine.clients.base import Json
from usine.clients.kubernetes import KubernetesClient, KubernetesKind
from usine.drift.inventory.base import Found, InventoryScope

_US: Final = "usine"
#: Selects the objects that the program manages.
OURS: Final = f"{MANAGED_BY_LABEL}={_US}"


@dataclass(frozen=True, slots=True)
class ClusterServer:
    """One API server, and the clusters of the settings at its address. In the lab, one server is two clusters."""

    clusters: tuple[str, ...]
    client: KubernetesClient


def servers(scope: InventoryScope, connections: Connections) -> Iterator[ClusterServer | tuple[str, ClientError]]:
    """Yield the API servers of the stack; for a cluster that the kubeconfig does not have, its name and the error."""
    selected = [tenant for tenant in scope.declared.values() if tenant.slug in scope.tenants]
    by_address: dict[str, tuple[list[str], KubernetesClient]] = {}
    for cluster in clusters_in_use(scope.settings, selected):
        if scope.settings.clusters[cluster].pull is not None:
            continue  # `usine.drift.zones`
        try:
            client = connections.kubernetes(scope.settings.clusters[cluster])
        except ClientError as error:
            yield cluster, error
            continue
        by_address.setdefault(client.server, ([], client))[0].append(cluster)
    for clusters, client in by_address.values():
        yield ClusterServer(tuple(clusters), client)


def refuse(error: ClientError) -> Iterable[Found]:
    """Raise the error: this is the scan of a cluster that the kubeconfig does not have."""
    raise error


def tenants_on(scope: InventoryScope, clusters: Iterable[str]) -> tuple[str | None, ...]:
    """Return the foundation, if the stack has it, and the stack's tenants on these clusters."""
    wanted = set(clusters)
    there = (
        slug
        for slug in sorted(scope.tenants)
        if slug not in scope.declared or any(e.cluster in wanted for e in scope.declared[slug].environments)
    )
    return (*((None,) if scope.foundation else ()), *there)


def has_our_label(item: Json) -> bool:
    """Return whether an object has the label of those that the program manages."""
    return (item["metadata"].get("labels") or {}).get(MANAGED_BY_LABEL) == _US


def namespace_owner(scope: InventoryScope, name: str) -> str | None:
    """Return the tenant of a name ``<slug>-<environment>``; of any other name, the tenant whose slug it begins with."""
    slug = name.rpartition("-")[0]
    return slug if slug in scope.slugs else scope.owner(name, "-")


def found(
    scope: InventoryScope, system: System, cluster: str, tenant: str | None, kind: KubernetesKind, id_: str, detail: str
) -> Found:
    """Return the finding for an object; its id is ``<namespace>/<name>``, or the name alone."""
    namespace, _, name = id_.rpartition("/")
    where = f" -n {namespace}" if namespace else ""
    context = scope.settings.clusters[cluster].context
    return Found(
        system.value,
        tenant,
        kind.type,
        f"{cluster}: {id_}",
        f"kubernetes-{cluster}",
        id_,
        detail or f"{kind.plural} that no member of the tenant may create",
        f"kubectl --context {context}{where} delete {kind.plural} {name}",
    )
