"""Kubernetes' API as an inventory reads it: kinds, servers, and how a finding is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from model.settings import System
from stacks.platform.providers import clusters_in_use
from usine.drift.inventory.base import Found, Json, Reader, Scope
from usine.engine.lookup.base import LookError
from usine.engine.lookup.kubeconfig import connect

_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PAGE: Final = "500"


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as the API serves it: `api` is its path, `plural` its list, `metadata`: no need to see more than that."""

    type: str
    api: str
    plural: str
    metadata: bool = True


NAMESPACE: Final = Resource("kubernetes:core/v1:Namespace", "api/v1", "namespaces")
SECRET: Final = Resource("kubernetes:core/v1:Secret", "api/v1", "secrets")


@dataclass(frozen=True, slots=True)
class Server:
    """One API server: the clusters of the settings it serves, and its API. In the lab, one serves two clusters."""

    clusters: tuple[str, ...]
    api: Reader

    def items(self, resource: Resource, namespace: str | None = None, **query: str) -> Iterator[Json]:
        """Yield the objects of a kind, of one namespace or of all. Raises LookError.

        A kind that the server does not serve, as where its definition is not installed, has no objects: the server's
        own list of kinds says so, not the 404 alone.
        """
        path = f"{resource.api}/{f'namespaces/{namespace}/' if namespace else ''}{resource.plural}"
        accept = _METADATA_ONLY if resource.metadata else "application/json"
        after = ""
        while True:
            found = self.api.get(path, accept=accept, limit=_PAGE, **({"continue": after} if after else {}), **query)
            if found is None:
                if self._serves(resource):
                    raise LookError(f"cluster {self.clusters[0]} refused GET {path}: HTTP 404")
                return
            yield from found.get("items") or ()
            after = (found.get("metadata") or {}).get("continue") or ""
            if not after:
                return

    def _serves(self, resource: Resource) -> bool:
        kinds = (self.api.get(resource.api) or {}).get("resources") or ()
        return any(kind["name"] == resource.plural for kind in kinds)


def servers(scope: Scope, environment: Mapping[str, str]) -> Iterator[Server | tuple[str, LookError]]:
    """Yield the API servers that the stack talks to; for one that the kubeconfig does not know, its cluster and why."""
    selected = [project for project in scope.projects.values() if project.slug in scope.tenants]
    by_address: dict[str, tuple[list[str], Reader]] = {}
    for cluster in clusters_in_use(scope.settings, selected):
        try:
            address, rest = connect(scope.settings.clusters[cluster].context, environment)
        except LookError as error:
            yield cluster, error
            continue
        by_address.setdefault(address, ([], Reader(f"cluster {cluster}", rest)))[0].append(cluster)
    for clusters, api in by_address.values():
        yield Server(tuple(clusters), api)


def refuse(error: LookError) -> Iterable[Found]:
    """Raise the error: the look of what cannot be reached."""
    raise error


def tenants_on(scope: Scope, clusters: Iterable[str]) -> tuple[str | None, ...]:
    """Return who of the stack is on these clusters, and the foundation."""
    wanted = set(clusters)
    there = (
        slug
        for slug in sorted(scope.tenants)
        if slug not in scope.projects or any(e.cluster in wanted for e in scope.projects[slug].environments)
    )
    return (*((None,) if scope.foundation else ()), *there)


def namespace_owner(scope: Scope, name: str) -> str | None:
    """Return the tenant of a name ``<slug>-<environment>``; a name made by hand is whose slug it begins with."""
    slug = name.rpartition("-")[0]
    return slug if slug in scope.slugs else scope.owner(name, "-")


def found(
    scope: Scope, system: System, cluster: str, tenant: str | None, resource: Resource, id_: str, detail: str
) -> Found:
    """Return the finding of an object by its id ``<namespace>/<name>``, or its name alone."""
    namespace, _, name = id_.rpartition("/")
    where = f" -n {namespace}" if namespace else ""
    context = scope.settings.clusters[cluster].context
    return Found(
        system.value,
        tenant,
        resource.type,
        f"{cluster}: {id_}",
        f"kubernetes-{cluster}",
        id_,
        detail or f"{resource.plural} that nobody of the tenant may make",
        f"kubectl --context {context}{where} delete {resource.plural} {name}",
    )
