"""Refuses a run that would take over a namespace that exists and is not the tenant's, before the engine starts.

The Kubernetes providers take over objects that exist (`upsert_existing_objects`), so that a run can continue after an
interruption. A tenant `cert` with an environment `manager` would get the namespace of cert-manager (issue 11.A6).
The names that are known are refused in the file (`model.naming.reserved_namespaces`); here the clusters are asked for
all others. A namespace that an interrupted run created has the tenant's label from the start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import requests

from model.naming import TENANT_LABEL, names_of
from model.settings import Cluster, Settings, System
from model.tenant import Tenant
from usine.engine.lookup.base import LookError
from usine.engine.lookup.kubeconfig import connect
from usine.report.model import Notice, Severity

RULE: Final = "namespace-takeover"
_TYPE: Final = "kubernetes:core/v1:Namespace"
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


def check_namespaces(
    settings: Settings, projects: Iterable[Tenant], environment: Mapping[str, str], checkpoint: Mapping[str, Any]
) -> tuple[Notice, ...]:
    """Return the reasons to refuse the run: namespaces it would take over, and clusters that do not answer.

    Only namespaces that are not in the state are looked for: without a new one, no cluster is asked.
    """
    if not settings.on(System.KUBERNETES):
        return ()
    known = _known(checkpoint)
    new: dict[str, dict[str, Tenant]] = defaultdict(dict)
    for project in projects:
        if settings.selected(project.slug):
            for e in project.environments:
                name = names_of(project).namespace(e.name)
                if (f"kubernetes-{e.cluster}", name) not in known:
                    new[e.cluster][name] = project
    return tuple(
        notice
        for cluster, wanted in sorted(new.items())
        for notice in _check(settings.clusters[cluster], wanted, environment)
    )


def _known(checkpoint: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Return the namespaces in the state, each with the logical name of its provider."""
    resources = (checkpoint.get("deployment") or {}).get("resources") or ()
    return frozenset(
        (str(r.get("provider", "")).rpartition("::")[0].rpartition("::")[2], str(r.get("id")))
        for r in resources
        if r["type"] == _TYPE
    )


def _check(cluster: Cluster, wanted: Mapping[str, Tenant], environment: Mapping[str, str]) -> Iterator[Notice]:
    try:
        labels = _labels(cluster, environment)
    except LookError as error:
        yield Notice(
            RULE,
            Severity.ERROR,
            f"cluster {cluster.name} could not be asked whether a new namespace exists already: {error}",
            mend="run again when it answers, with a credential that may list namespaces",
        )
        return
    for name, project in sorted(wanted.items()):
        if name in labels and labels[name] != project.slug:
            whose = f"tenant {labels[name]}'s" if labels[name] else "no tenant's"
            yield Notice(
                RULE,
                Severity.ERROR,
                f"the namespace {name} exists on cluster {cluster.name} and is {whose} (label {TENANT_LABEL}): "
                "it would be taken over",
                mend="choose another name for the environment and list the namespace in "
                f"usine:clusters.{cluster.name}.reservedNamespaces; or delete the namespace if nobody needs it",
                tenant=project.slug,
            )


def _labels(cluster: Cluster, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the tenant in the label of each live namespace; empty without the label. Raises LookError."""
    _, api = connect(cluster.context, environment)
    try:
        found = api.listed("api/v1/namespaces", headers={"Accept": _METADATA_ONLY})
    except requests.RequestException as error:
        status = error.response.status_code if error.response is not None else None
        raise LookError(f"HTTP {status}" if status else f"no answer ({type(error).__name__})") from None
    items = [item["metadata"] for item in found.get("items") or ()]
    return {item["name"]: (item.get("labels") or {}).get(TENANT_LABEL, "") for item in items}
