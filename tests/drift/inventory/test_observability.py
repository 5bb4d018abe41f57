"""The inventory of monitoring objects, with fixed answers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from model.clusters import Operator
from model.settings import FoundationMode, System
from tests.drift.inventory.api_server import serving
from tests.drift.inventory.scanning import only, resource, scan
from tests.drift.inventory.test_clusters import CLEAN, NONPROD, PROD, item, items, kubeconfig

API, RECEIVERS = "/apis/monitoring.coreos.com/v1", "/apis/monitoring.coreos.com/v1alpha1"
OURS = {"app.kubernetes.io/managed-by": "usine"}
STATE = (
    resource("kubernetes:core/v1:Namespace", "alpha-dev", provider=NONPROD),
    resource("kubernetes:core/v1:Namespace", "alpha-prod", provider=PROD),
    resource("kubernetes:monitoring.coreos.com/v1:PrometheusRule", "alpha-dev/usine", provider=NONPROD),
    resource("kubernetes:monitoring.coreos.com/v1alpha1:AlertmanagerConfig", "argocd/alpha", provider=NONPROD),
)
#: What one server has: ours, the team's, the platform's in other namespaces.
SERVER: dict[str, Any] = {
    f"{API}/prometheusrules": items(
        item("usine", "alpha-dev", labels=OURS),
        item("usine", "alpha-prod", labels=OURS),
        item("team", "alpha-dev"),
        item("platform", "monitoring"),
    ),
    f"{API}/podmonitors": items(item("team", "alpha-prod"), item("kubelet", "monitoring")),
    f"{API}/probes": items(item("p", "alpha-dev")),
    f"{RECEIVERS}/alertmanagerconfigs": items(item("mine", "alpha-dev"), item("platform", "monitoring")),
    f"{RECEIVERS}/namespaces/argocd/alertmanagerconfigs": items(
        item("alpha", "argocd", labels={"usine.dev/tenant": "alpha"}),
        item("extra", "argocd", labels={"usine.dev/tenant": "alpha"}),
        item("notifications", "argocd"),
    ),
    f"{API}/namespaces/argocd/prometheusrules": items(item("beta", "argocd"), item("argocd", "argocd")),
}
ALWAYS = {
    ("alpha", "Probe", "nonprod-1: alpha-dev/p"),
    ("alpha", "AlertmanagerConfig", "nonprod-1: alpha-dev/mine"),
    ("alpha", "AlertmanagerConfig", "nonprod-1: argocd/extra"),
    ("beta", "PrometheusRule", "nonprod-1: argocd/beta"),
    ("alpha", "PrometheusRule", "prod-1: alpha-prod/usine"),  # with our label, and not in the state
}


def look(tmp_path: Path, *operators: Operator, **changes: Any) -> set[tuple[str | None, str, str]]:
    """Return what is found where the cluster nonprod-1 opens kinds of these operators."""
    with serving({**CLEAN, **SERVER}) as api:
        settings = only(System.OBSERVABILITY, api.url, **changes)
        opened = dataclasses.replace(settings.clusters["nonprod-1"], operators=operators)
        settings = dataclasses.replace(
            settings,
            clusters={**settings.clusters, "nonprod-1": opened},
            systems=frozenset({System.KUBERNETES, System.ARGOCD, System.OBSERVABILITY}),
        )
        inventory = scan(settings, STATE, environment=kubeconfig(tmp_path, api.url, api.url))
        assert api.methods() == {"GET"}
    assert inventory.gaps == ()
    found = [one for one in inventory.found if one.system == System.OBSERVABILITY]
    return {(one.tenant, one.type.rpartition(":")[2], one.name) for one in found}


def test_what_no_file_asks_for_is_found_in_the_namespaces_of_tenants_and_argo_cd(tmp_path: Path) -> None:
    assert look(tmp_path) == ALWAYS | {
        ("alpha", "PrometheusRule", "nonprod-1: alpha-dev/team"),
        ("alpha", "PodMonitor", "prod-1: alpha-prod/team"),
    }


def test_rules_of_the_team_are_its_own_where_the_cluster_opens_them(tmp_path: Path) -> None:
    assert look(tmp_path, Operator.MONITORING) == ALWAYS | {("alpha", "PodMonitor", "prod-1: alpha-prod/team")}


def test_a_stack_of_one_tenant_lists_its_namespaces_only(tmp_path: Path) -> None:
    found = look(tmp_path, foundation=FoundationMode.SKIP, tenants=("alpha",))
    # The server has no answer for one namespace; in Argo CD's, the others' objects are not this stack's.
    assert found == {("alpha", "AlertmanagerConfig", "nonprod-1: argocd/extra")}
