"""The inventories of Kubernetes and Argo CD, with fixed answers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from model.clusters import ClusterBackup, ImageVerifier, Operator, Verifier
from model.settings import FoundationMode, System
from tests import factories
from tests.drift.inventory.api_server import serving
from tests.drift.inventory.clusters import (
    ADMISSION,
    CLEAN,
    DELIVERY,
    KYVERNO,
    PROD,
    RBAC,
    STATE,
    binding,
    cluster,
    item,
    items,
    kubeconfig,
)
from tests.drift.inventory.scanning import ENVIRONMENT, names, only, resource, scan


def test_a_namespace_that_is_being_deleted_is_no_finding(tmp_path: Path) -> None:
    leaving = item("alpha-extra")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    answers = {"/api/v1/namespaces": items(*CLEAN["/api/v1/namespaces"]["items"], leaving)}
    assert names(cluster(tmp_path, answers)[0]) == set()


def test_new_clusters_have_no_unmanaged_objects(tmp_path: Path) -> None:
    inventory, api = cluster(tmp_path, {})
    assert names(inventory) == set()
    assert api.paths().count(f"{RBAC}/clusterrolebindings") == 1  # one server, though two clusters
    secrets = [headers["Accept"] for _, path, _, headers in api.asked if path == "/api/v1/secrets"]
    assert secrets
    assert all("PartialObjectMetadataList" in accept for accept in secrets), "values of secrets were asked for"


def test_unmanaged_access_to_a_tenant_s_namespace_is_found(tmp_path: Path) -> None:
    inventory, _ = cluster(
        tmp_path,
        {
            "/api/v1/namespaces": items(
                *CLEAN["/api/v1/namespaces"]["items"],
                item("alpha-extra"),
                item("somewhere", labels={"usine.dev/tenant": "beta"}),
                item("stray"),
            ),
            f"{RBAC}/roles": items(item("r", "alpha-dev"), item("r", "kube-system")),
            "/apis/networking.k8s.io/v1/networkpolicies": items(item("open", "alpha-prod")),
            "/api/v1/resourcequotas": items(item("more", "alpha-dev")),
            "/api/v1/limitranges": items(item("more", "alpha-dev")),
            f"{DELIVERY}/secretstores": items(item("vault", "alpha-prod"), item("vault", "stray")),
            f"{DELIVERY}/externalsecrets": items(item("by-hand", "alpha-dev")),
            f"{KYVERNO}/namespacedimagevalidatingpolicies": items(item("more", "alpha-prod"), item("x", "kyverno")),
            f"{KYVERNO}/policyexceptions": items(item("all", "alpha-dev")),
            "/api/v1/serviceaccounts": items(item("by-hand", "alpha-dev")),
            "/api/v1/secrets": items(item("token", "alpha-dev"), item("token", "stray")),
            f"{RBAC}/rolebindings": items(
                binding("b", "alpha-dev", "User", "oidc:mallory"),
                binding("c", "kube-system", "ServiceAccount", "vault", "alpha-dev"),
            ),
            f"{RBAC}/clusterrolebindings": items(
                binding("people", None, "Group", "oidc:/alpha/owner"),
                binding("person", None, "User", "oidc:mallory"),
                binding("all", None, "Group", "system:serviceaccounts:alpha-prod"),
                binding("one", None, "User", "system:serviceaccount:alpha-dev:vault"),
            ),
            f"{RBAC}/clusterroles": items(item("usine:more")),
            f"{ADMISSION}/validatingadmissionpolicies": items(
                item("usine.prod-1.old"),
                item("ours", labels={"app.kubernetes.io/managed-by": "usine"}),
                item("gatekeeper"),
            ),
            f"{ADMISSION}/validatingadmissionpolicybindings": items(
                item("quiet", spec={"policyName": "usine.prod-1.pods", "validationActions": ["Audit"]}),
                item("gatekeeper", spec={"policyName": "gatekeeper"}),
            ),
        },
    )
    assert names(inventory) == {
        ("alpha", "Namespace", "nonprod-1: alpha-extra"),
        ("beta", "Namespace", "nonprod-1: somewhere"),
        (None, "Namespace", "nonprod-1: stray"),
        ("alpha", "Role", "nonprod-1: alpha-dev/r"),
        ("alpha", "NetworkPolicy", "prod-1: alpha-prod/open"),
        ("alpha", "ResourceQuota", "nonprod-1: alpha-dev/more"),
        ("alpha", "LimitRange", "nonprod-1: alpha-dev/more"),
        ("alpha", "SecretStore", "prod-1: alpha-prod/vault"),
        ("alpha", "ExternalSecret", "nonprod-1: alpha-dev/by-hand"),
        ("alpha", "NamespacedImageValidatingPolicy", "prod-1: alpha-prod/more"),
        ("alpha", "PolicyException", "nonprod-1: alpha-dev/all"),
        ("alpha", "ServiceAccount", "nonprod-1: alpha-dev/by-hand"),
        ("alpha", "Secret", "nonprod-1: alpha-dev/token"),
        ("alpha", "RoleBinding", "nonprod-1: alpha-dev/b"),
        ("alpha", "RoleBinding", "nonprod-1: kube-system/c"),
        ("alpha", "ClusterRoleBinding", "nonprod-1: people"),
        (None, "ClusterRoleBinding", "nonprod-1: person"),
        ("alpha", "ClusterRoleBinding", "nonprod-1: all"),
        ("alpha", "ClusterRoleBinding", "nonprod-1: one"),
        (None, "ClusterRole", "nonprod-1: usine:more"),
        (None, "ValidatingAdmissionPolicy", "nonprod-1: usine.prod-1.old"),
        (None, "ValidatingAdmissionPolicy", "nonprod-1: ours"),
        (None, "ValidatingAdmissionPolicyBinding", "nonprod-1: quiet"),
    }
    policy = next(found for found in inventory.found if found.type.endswith(":NetworkPolicy"))
    assert (policy.import_id, policy.provider) == ("alpha-prod/open", "kubernetes-prod-1")
    assert policy.removal == "kubectl --context prod-1 -n alpha-prod delete networkpolicies open"


def test_external_secrets_are_the_team_s_where_the_cluster_opens_them(tmp_path: Path) -> None:
    clusters = factories.settings().clusters
    opened = dataclasses.replace(clusters["nonprod-1"], operators=(Operator.EXTERNAL_SECRETS,))
    answers = {
        f"{DELIVERY}/externalsecrets": items(
            item("by-hand", "alpha-dev"),
            item("like-ours", "alpha-dev", labels={"app.kubernetes.io/managed-by": "usine"}),
            item("by-hand", "alpha-prod"),
        )
    }
    inventory, _ = cluster(tmp_path, answers, clusters={**clusters, "nonprod-1": opened})
    assert names(inventory) == {
        ("alpha", "ExternalSecret", "nonprod-1: alpha-dev/like-ours"),
        ("alpha", "ExternalSecret", "prod-1: alpha-prod/by-hand"),
    }


@pytest.mark.parametrize("whole", [True, False])
def test_credentials_of_a_verifier_are_found(tmp_path: Path, whole: bool) -> None:
    """A stack of one tenant does not report those of others."""
    verifier = ImageVerifier(Verifier.KYVERNO, "kyverno")
    clusters = {
        name: dataclasses.replace(one, image_verifier=verifier) for name, one in factories.settings().clusters.items()
    }
    ours = {"app.kubernetes.io/managed-by": "usine"}
    secrets = [item(slug, "kyverno", labels={**ours, "usine.dev/tenant": slug}) for slug in ("alpha", "beta", "gone")]
    kyverno = items(*CLEAN["/api/v1/namespaces"]["items"], item("kyverno"))
    answers = {"/api/v1/namespaces/kyverno/secrets": items(*secrets), "/api/v1/namespaces": kyverno}
    alone: dict[str, Any] = {} if whole else {"foundation": FoundationMode.SKIP, "tenants": ("alpha",)}
    inventory, api = cluster(tmp_path, answers, clusters=clusters, **alone)
    own = {("alpha", "Secret", "nonprod-1: kyverno/alpha")}
    others = {("beta", "Secret", "nonprod-1: kyverno/beta"), (None, "Secret", "nonprod-1: kyverno/gone")}
    assert names(inventory) == (own | others if whole else own)
    asked = [headers["Accept"] for _, path, _, headers in api.asked if path == "/api/v1/namespaces/kyverno/secrets"]
    assert len(asked) == 1, "one server"
    assert "PartialObjectMetadataList" in asked[0]


VELERO = "/apis/velero.io/v1/namespaces/coffre"


@pytest.mark.parametrize("mode", FoundationMode)
def test_what_copies_the_data_of_a_tenant_is_found(tmp_path: Path, mode: FoundationMode) -> None:
    """A restore into a tenant's namespace from that of another one; a schedule with a pattern or a label only.

    The foundation's own stack reports what concerns no tenant.
    """
    tool = ClusterBackup(namespace="coffre")
    clusters = {name: dataclasses.replace(one, backup=tool) for name, one in factories.settings().clusters.items()}

    def schedule(name: str, *namespaces: str, **labels: str) -> dict[str, Any]:
        return item(name, "coffre", labels=labels, spec={"template": {"includedNamespaces": list(namespaces)}})

    schedules = (
        schedule("usine-alpha-prod", "alpha-prod"),
        schedule("copy", "alpha-dev"),
        schedule("pattern", "alph*-prod"),
        schedule("labelled", "elsewhere", **{"usine.dev/tenant": "beta"}),
        schedule("like-ours", "elsewhere", **{"app.kubernetes.io/managed-by": "usine"}),
        schedule("platform", "*"),
        schedule("services", "monitoring", "ingress-nginx"),
    )
    stolen = {"includedNamespaces": ["beta-prod"], "namespaceMapping": {"beta-prod": "alpha-dev"}}
    restores = (
        item("stolen", "coffre", spec=stolen),
        item("all", "coffre", spec={"backupName": "b"}),
        item("services", "coffre", spec={"includedNamespaces": ["monitoring"]}),
    )
    answers = {f"{VELERO}/schedules": items(*schedules), f"{VELERO}/restores": items(*restores)}
    alone: dict[str, Any] = {"tenants": ("alpha",)} if mode is FoundationMode.SKIP else {}
    own_schedule = resource("kubernetes:velero.io/v1:Schedule", "coffre/usine-alpha-prod", provider=PROD)
    state = tuple(one for one in (*STATE, own_schedule) if mode is not FoundationMode.ONLY or one.tenant is None)
    inventory, _ = cluster(tmp_path, answers, clusters=clusters, state=state, foundation=mode, **alone)
    own = {
        ("alpha", "Schedule", "nonprod-1: coffre/copy"),
        ("alpha", "Schedule", "nonprod-1: coffre/pattern"),
        ("alpha", "Restore", "nonprod-1: coffre/stolen"),
    }
    of_beta = {("beta", "Schedule", "nonprod-1: coffre/labelled")}
    of_nobody = {
        (None, "Schedule", "nonprod-1: coffre/like-ours"),
        (None, "Restore", "nonprod-1: coffre/all"),
    }
    whole = own | of_beta | of_nobody
    expected = {FoundationMode.INCLUDE: whole, FoundationMode.SKIP: own, FoundationMode.ONLY: of_nobody}
    assert names(inventory) == expected[mode]
    details = {found.detail for found in inventory.found if found.name.endswith("stolen")}
    assert details == (set() if mode is FoundationMode.ONLY else {"copies the data of alpha-dev, beta-prod"})


def test_a_stack_of_one_tenant_lists_single_namespaces(tmp_path: Path) -> None:
    tenant: dict[str, Any] = {"foundation": FoundationMode.SKIP, "tenants": ("alpha",)}
    roles = items(item("r", "alpha-dev"))
    inventory, api = cluster(tmp_path, {f"{RBAC}/namespaces/alpha-dev/roles": roles}, **tenant)
    assert names(inventory) == {("alpha", "Role", "nonprod-1: alpha-dev/r")}
    assert f"{RBAC}/roles" not in api.paths()


def test_all_pages_of_a_list_are_read(tmp_path: Path) -> None:
    from tests.drift.inventory.api_server import Script  # noqa: PLC0415 - only this test needs it

    pages = Script(
        [
            {"items": [item("a", "alpha-dev")], "metadata": {"continue": "more"}},
            {"items": [item("b", "alpha-dev")], "metadata": {}},
        ]
    )
    inventory, api = cluster(tmp_path, {f"{RBAC}/roles": pages})
    assert {found.name for found in inventory.found} == {"nonprod-1: alpha-dev/a", "nonprod-1: alpha-dev/b"}
    assert [query.get("continue") for _, path, query, _ in api.asked if path == f"{RBAC}/roles"] == [None, "more"]


def test_a_404_of_a_kind_that_the_cluster_serves_is_a_gap_of_the_scan(tmp_path: Path) -> None:
    inventory, _ = cluster(tmp_path, {RBAC: {"resources": [{"name": "roles/status"}, {"name": "roles"}]}})
    assert {(gap.tenant, gap.reason) for gap in inventory.gaps} == {
        (tenant, f"cluster nonprod-1 refused GET {RBAC[1:]}/roles: HTTP 404") for tenant in (None, "alpha", "beta")
    }


def test_a_cluster_that_is_not_in_the_kubeconfig_is_reported(tmp_path: Path) -> None:
    with serving(CLEAN) as api:
        environment = kubeconfig(tmp_path, api.url, None)
        inventory = scan(only(System.KUBERNETES, api.url), STATE, environment=environment)
    assert {(gap.tenant, gap.reason) for gap in inventory.gaps} == {
        (tenant, 'no context "prod-1" in the kubeconfig') for tenant in (None, "alpha", "beta")
    }


@pytest.mark.parametrize("system", [System.KUBERNETES, System.ARGOCD])
def test_without_a_kubeconfig_the_scan_of_every_tenant_has_a_gap(tmp_path: Path, system: System) -> None:
    environment = {**ENVIRONMENT, "KUBECONFIG": str(tmp_path / "none")}
    inventory = scan(only(system, "http://127.0.0.1:9"), STATE, environment=environment)
    assert inventory.found == ()
    assert {gap.tenant for gap in inventory.gaps} == {None, "alpha", "beta"}
