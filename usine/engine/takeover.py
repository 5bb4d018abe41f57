"""Refuses a run that would take over a namespace which exists and does not belong to the tenant.

The Kubernetes providers adopt objects that exist (`upsert_existing_objects`), so that the next run recovers an
interrupted one. Without this check, a tenant `cert` with an environment `manager` gets the namespace of cert-manager,
with all its content (issue 11.A6). The check of the files refuses the names that are known
(`model.reserved.reserved_namespaces`); for the others, this module asks the clusters. A namespace that an interrupted
run created has the tenant's label from the start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from model.clusters import Cluster
from model.naming import TENANT_LABEL, names_of
from model.settings import Settings, System
from model.tenant import Tenant
from pulumi_facts.checkpoint import resources_of
from pulumi_facts.urns import provider_name
from usine.clients import ClientError, Connections, NoAnswerError
from usine.clients.kubernetes import NAMESPACE
from usine.report.ids import NoticeId
from usine.report.model import Notice, Severity


def check_namespaces(
    settings: Settings, tenants: Iterable[Tenant], environment: Mapping[str, str], checkpoint: Mapping[str, Any]
) -> tuple[Notice, ...]:
    """Return what refuses the run: namespaces that it would take over, and clusters that cannot be asked.

    Only namespaces that the state does not have matter: a run without a new namespace sends no request.
    """
    if not settings.on(System.KUBERNETES):
        return ()
    known = _known(checkpoint)
    connections = Connections(settings.endpoints, environment)
    new: dict[str, dict[str, Tenant]] = defaultdict(dict)
    for tenant in tenants:
        if settings.selected(tenant.slug):
            for e in tenant.environments:
                if settings.clusters[e.cluster].pull is not None:
                    continue  # not reached: its API server refuses the label on a namespace that exists (docs/zones.md)
                name = names_of(tenant).namespace(e.name)
                if (f"kubernetes-{e.cluster}", name) not in known:
                    new[e.cluster][name] = tenant
    return tuple(
        notice
        for cluster, wanted in sorted(new.items())
        for notice in _check(settings.clusters[cluster], wanted, connections)
    )


def _known(checkpoint: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Return the namespaces in the state, each with the logical name of its provider."""
    return frozenset(
        (provider_name(str(r.get("provider", ""))), str(r.get("id")))
        for r in resources_of(checkpoint)
        if r["type"] == NAMESPACE.type
    )


def _check(cluster: Cluster, wanted: Mapping[str, Tenant], connections: Connections) -> Iterator[Notice]:
    try:
        labels = _labels(cluster, connections)
    except ClientError as error:
        why = f"no answer ({error.reason})" if isinstance(error, NoAnswerError) else error.reason
        yield Notice(
            NoticeId.NAMESPACE_TAKEOVER,
            Severity.ERROR,
            f"cluster {cluster.name} could not be asked whether a new namespace exists already: {why}",
            remedy="run again when it answers, with a credential that may list namespaces",
        )
        return
    for name, tenant in sorted(wanted.items()):
        if name in labels and labels[name] != tenant.slug:
            whose = f"tenant {labels[name]}'s" if labels[name] else "no tenant's"
            yield Notice(
                NoticeId.NAMESPACE_TAKEOVER,
                Severity.ERROR,
                f"the namespace {name} exists on cluster {cluster.name} and is {whose} (label {TENANT_LABEL}): "
                "it would be taken over",
                remedy="choose another name for the environment and list the namespace in "
                f"usine:clusters.{cluster.name}.reservedNamespaces; or delete the namespace if nobody needs it",
                tenant=tenant.slug,
            )


def _labels(cluster: Cluster, connections: Connections) -> Mapping[str, str]:
    """Return the tenant in the label of each live namespace, empty for none. Raises ClientError."""
    items = [item["metadata"] for item in connections.kubernetes(cluster).items_of_served(NAMESPACE)]
    return {item["name"]: (item.get("labels") or {}).get(TENANT_LABEL, "") for item in items}
