"""The API servers of an inventory, who owns a name there, and how a finding is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from model.settings import System
from stacks.platform.providers import clusters_in_use
from usine.clients import ClientError, Connections
from usine.clients.kubernetes import KubernetesClient, KubernetesKind
from usine.drift.inventory.base import Found, InventoryScope


@dataclass(frozen=True, slots=True)
class ClusterServer:
    """One API server, and the clusters of the settings that it is. In the lab, one server is two clusters."""

    clusters: tuple[str, ...]
    client: KubernetesClient


def servers(scope: InventoryScope, connections: Connections) -> Iterator[ClusterServer | tuple[str, ClientError]]:
    """Yield the API servers of the stack; for a cluster that the kubeconfig does not have, its name and the error."""
    selected = [tenant for tenant in scope.declared.values() if tenant.slug in scope.tenants]
    by_address: dict[str, tuple[list[str], KubernetesClient]] = {}
    for cluster in clusters_in_use(scope.settings, selected):
        try:
            client = connections.kubernetes(scope.settings.clusters[cluster])
        except ClientError as error:
            yield cluster, error
            continue
        by_address.setdefault(client.server, ([], client))[0].append(cluster)
    for clusters, client in by_address.values():
        yield ClusterServer(tuple(clusters), client)


def refuse(error: ClientError) -> Iterable[Found]:
    """Raise the error: the scan of a cluster that cannot be reached."""
    raise error


def tenants_on(scope: InventoryScope, clusters: Iterable[str]) -> tuple[str | None, ...]:
    """Return who of the stack is on these clusters, and the foundation."""
    wanted = set(clusters)
    there = (
        slug
        for slug in sorted(scope.tenants)
        if slug not in scope.declared or any(e.cluster in wanted for e in scope.declared[slug].environments)
    )
    return (*((None,) if scope.foundation else ()), *there)


def namespace_owner(scope: InventoryScope, name: str) -> str | None:
    """Return the tenant of a name ``<slug>-<environment>``; a name made by hand is whose slug it begins with."""
    slug = name.rpartition("-")[0]
    return slug if slug in scope.slugs else scope.owner(name, "-")


def found(
    scope: InventoryScope, system: System, cluster: str, tenant: str | None, kind: KubernetesKind, id_: str, detail: str
) -> Found:
    """Return the finding of an object by its id ``<namespace>/<name>``, or its name alone."""
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
        detail or f"{kind.plural} that nobody of the tenant may make",
        f"kubectl --context {context}{where} delete {kind.plural} {name}",
    )
