"""The inventory of monitoring objects, with fixed answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from model.argocd import ArgoCDInstance
from model.clusters import Operator
from model.settings import FoundationMode, System
from tests.drift.inventory.api_server import serving
from tests.drift.inventory.clusters import CLEAN, NONPROD, PROD, item, items, kubeconfig
from tests.drift.inventory.scanning import only, resource, scan
from usine.drift.inventory import Managed

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


def look(
    tmp_path: Path,
    *operators: Operator,
    answers: Mapping[str, Any] | None = None,
    state: tuple[Managed, ...] = STATE,
    **changes: Any,
) -> set[tuple[str | None, str, str]]:
    """Return what is found where the cluster nonprod-1 opens kinds of these operators."""
    with serving({**CLEAN, **SERVER, **(answers or {})}) as api:
        settings = only(System.OBSERVABILITY, api.url, **changes)
        opened = dataclasses.replace(settings.clusters["nonprod-1"], operators=operators)
        settings = dataclasses.replace(
            settings,
            clusters={**settings.clusters, "nonprod-1": opened},
            systems=frozenset({System.KUBERNETES, System.ARGOCD, System.OBSERVABILITY}),
        )
        inventory = scan(settings, state, environment=kubeconfig(tmp_path, api.url, api.url))
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


def test_what_is_made_for_a_tenant_in_the_second_argo_cd_is_found(tmp_path: Path) -> None:
    """Also by the name that the first Argo CD has on another cluster."""
    base = only(System.OBSERVABILITY, "http://127.0.0.1:9").argocd
    first = dataclasses.replace(base.instances[0], zones=("lab",))
    second = ArgoCDInstance("dmz", "prod-1", "argocd", "https://argocd-dmz.example.test", ("dmz",))
    argocd = dataclasses.replace(base, instances=(first, second))
    assert look(tmp_path, argocd=argocd) - look(tmp_path) == {
        ("alpha", "AlertmanagerConfig", "prod-1: argocd/alpha"),
        ("alpha", "AlertmanagerConfig", "prod-1: argocd/extra"),
        ("beta", "PrometheusRule", "prod-1: argocd/beta"),
    }


def _in_grafana(api: str, plural: str, *names: str, **labels: str) -> dict[str, Any]:
    return {f"{api}/namespaces/grafana/{plural}": items(*(item(name, "grafana", labels=labels) for name in names))}


@pytest.mark.parametrize("whole", [True, False])
def test_everything_in_the_namespace_of_grafana_is_found(tmp_path: Path, whole: bool) -> None:
    """From there, the stores of metrics and logs answer for any tenant."""
    owned = item("grafana-alpha-abc", "grafana", labels={"usine.dev/tenant": "alpha"})
    owned["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "grafana-alpha"}]
    answers = {
        **_in_grafana("/api/v1", "configmaps", "kube-root-ca.crt", "grafana-alpha", "grafana-alpha.extra"),
        **_in_grafana("/apis/apps/v1", "deployments", "grafana-alpha", "mine", **{"usine.dev/tenant": "beta"}),
        **_in_grafana("/apis/networking.k8s.io/v1", "networkpolicies", "open"),
        **_in_grafana("/apis/batch/v1", "cronjobs", "curl"),
        "/api/v1/namespaces/grafana/pods": items(owned, item("debug", "grafana")),
    }
    alone: dict[str, Any] = {} if whole else {"foundation": FoundationMode.SKIP, "tenants": ("alpha",)}
    own = {("alpha", "ConfigMap", "nonprod-1: grafana/grafana-alpha.extra")}
    others = {
        ("beta", "Deployment", "nonprod-1: grafana/mine"),
        (None, "NetworkPolicy", "nonprod-1: grafana/open"),
        (None, "CronJob", "nonprod-1: grafana/curl"),
        (None, "Pod", "nonprod-1: grafana/debug"),
    }
    state = (
        *STATE,
        resource("kubernetes:core/v1:ConfigMap", "grafana/grafana-alpha", provider=NONPROD),
        resource("kubernetes:apps/v1:Deployment", "grafana/grafana-alpha", provider=NONPROD),
    )
    found = look(tmp_path, answers=answers, state=state, **alone)
    assert {one for one in found if "grafana/" in one[2]} == (own | others if whole else own)


def test_a_stack_of_one_tenant_lists_its_namespaces_only(tmp_path: Path) -> None:
    found = look(tmp_path, foundation=FoundationMode.SKIP, tenants=("alpha",))
    # The server has no answer for one namespace; in Argo CD's, the others' objects are not this stack's.
    assert found == {("alpha", "AlertmanagerConfig", "nonprod-1: argocd/extra")}
