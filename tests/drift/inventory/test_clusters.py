"""The inventories of Kubernetes and Argo CD, with fixed answers."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from model.argocd import ONLY_INSTANCE, ArgoCDInstance
from model.clusters import ClusterBackup, ImageVerifier, Operator, Verifier
from model.settings import FoundationMode, Settings, System
from tests import factories
from tests.drift.inventory.api_server import Answers, serving
from tests.drift.inventory.scanning import ENVIRONMENT, MARKER, names, only, resource, scan
from usine.drift.inventory import Inventory, Managed

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
DELIVERY = "/apis/external-secrets.io/v1"
KYVERNO = "/apis/policies.kyverno.io/v1"
ARGO = "/apis/argoproj.io/v1alpha1/namespaces/argocd"
NONPROD, PROD = "kubernetes-nonprod-1", "kubernetes-prod-1"
STATE = (
    resource("kubernetes:core/v1:Namespace", "alpha-dev", provider=NONPROD),
    resource("kubernetes:core/v1:Namespace", "alpha-prod", provider=PROD),
    resource("kubernetes:core/v1:ServiceAccount", "alpha-dev/vault", provider=NONPROD),
    resource("kubernetes:argoproj.io/v1alpha1:AppProject", "argocd/alpha-dev", provider=NONPROD),
)


def item(name: str, namespace: str | None = None, **more: Any) -> dict[str, Any]:
    labels, annotations = more.pop("labels", {}), more.pop("annotations", {})
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    return {"metadata": {**metadata, **({"namespace": namespace} if namespace else {})}, **more}


def items(*found: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(found), "metadata": {}}


def binding(name: str, namespace: str | None, kind: str, subject: str, of: str | None = None) -> dict[str, Any]:
    subjects = [{"kind": kind, "name": subject, **({"namespace": of} if of else {})}]
    return item(name, namespace, subjects=subjects, roleRef={"kind": "ClusterRole", "name": "cluster-admin"})


CLEAN: dict[str, Any] = {
    "/api/v1/namespaces": items(
        *(item(name) for name in ("default", "kube-system", "argocd", "ingress-nginx", "monitoring")),
        item("alpha-dev", labels={"usine.dev/tenant": "alpha"}),
        item("alpha-prod"),
    ),
    "/api/v1/serviceaccounts": items(
        item("default", "alpha-dev"),
        item("vault", "alpha-dev"),
        item("of-a-chart", "alpha-dev", annotations={"argocd.argoproj.io/tracking-id": "alpha-dev--deploy:/x"}),
        item("anything", "kube-system"),
    ),
    f"{RBAC}/clusterrolebindings": items(
        binding("cluster-admin", None, "Group", "system:masters"),
        binding("system:kube-dns", None, "ServiceAccount", "kube-dns", "kube-system"),
    ),
    f"{RBAC}/rolebindings": items(binding("argocd", "argocd", "ServiceAccount", "argocd-server", "argocd")),
}


def kubeconfig(tmp_path: Path, nonprod: str, prod: str | None) -> dict[str, str]:
    path = tmp_path / "kubeconfig"
    servers = {"nonprod-1": nonprod, **({"prod-1": prod} if prod else {})}
    path.write_text(
        json.dumps(
            {
                "clusters": [{"name": name, "cluster": {"server": url}} for name, url in servers.items()],
                "contexts": [{"name": name, "context": {"cluster": name, "user": "us"}} for name in servers],
                "users": [{"name": "us", "user": {"token": MARKER}}],
            }
        )
    )
    return {**ENVIRONMENT, "KUBECONFIG": f"/not/there:{path}"}


def cluster(
    tmp_path: Path,
    answers: dict[str, Any],
    system: System = System.KUBERNETES,
    state: tuple[Managed, ...] = STATE,
    **changes: Any,
) -> tuple[Inventory, Answers]:
    """Scan one API server that serves both clusters."""
    with serving({**CLEAN, **answers}) as api:
        environment = kubeconfig(tmp_path, api.url, api.url)
        inventory = scan(only(system, api.url, **changes), state, environment=environment)
        assert api.methods() == {"GET"}
        assert all(headers["Authorization"] == f"Bearer {MARKER}" for _, _, _, headers in api.asked)
        return inventory, api


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


def test_unmanaged_objects_of_argo_cd_are_found(tmp_path: Path) -> None:
    def secret(name: str, server: str) -> dict[str, Any]:
        data = {
            "server": base64.b64encode(server.encode()).decode(),
            "config": base64.b64encode(MARKER.encode()).decode(),
        }
        return item(name, "argocd", data=data)

    answers = {
        f"{ARGO}/appprojects": items(item("default", "argocd"), item("alpha-dev", "argocd"), item("alpha-x", "argocd")),
        f"{ARGO}/applications": items(
            item("handy", "argocd", spec={"project": "alpha-dev", "destination": {"namespace": "alpha-prod"}}),
        ),
        f"{ARGO}/applicationsets": items(item("many", "argocd")),
        # The server has one answer for repositories and clusters.
        "/api/v1/namespaces/argocd/secrets": items(
            secret("usine-beta--deploy", "https://nonprod.example.test"),
            secret("usine-alpha.dev--deploy", "https://nonprod.example.test"),
            secret("evil", "https://evil.example"),
        ),
    }
    inventory, _ = cluster(tmp_path, answers, System.ARGOCD)
    assert names(inventory) == {
        ("alpha", "AppProject", "nonprod-1: argocd/alpha-x"),
        ("alpha", "Application", "nonprod-1: argocd/handy"),
        (None, "ApplicationSet", "nonprod-1: argocd/many"),
        ("beta", "Secret", "nonprod-1: argocd/usine-beta--deploy"),
        ("alpha", "Secret", "nonprod-1: argocd/usine-alpha.dev--deploy"),
        (None, "Secret", "nonprod-1: argocd/evil"),
    }
    details = {found.detail for found in inventory.found}
    assert "deploys into alpha-prod, by project alpha-dev" in details
    assert "the credential of a cluster, https://evil.example" in details
    assert "the credential of a cluster, https://nonprod.example.test" not in details  # the settings name it


def test_an_application_that_claims_an_application_set_as_its_owner_is_found(tmp_path: Path) -> None:
    """Those that the set makes are no findings; the owner's name alone hides nothing."""

    def application(name: str, project: str, kind: str = "ApplicationSet", owner: str = "alpha-dev--deploy") -> Any:
        made = item(name, "argocd", spec={"project": project, "destination": {"namespace": project}})
        made["metadata"]["ownerReferences"] = [{"kind": kind, "name": owner}]
        return made

    applications = items(
        application("alpha-dev--deploy.web", "alpha-dev"),
        application("alpha-dev--deploy.evil", "default"),
        application("alpha-dev--deploy.prod", "alpha-prod"),
        application("alpha-dev--deployment", "alpha-dev"),
        application("handy", "alpha-dev"),
        application("other", "alpha-dev", kind="ConfigMap"),
        application("of-the-set-below", "default", owner="by-hand"),
    )
    answers = {
        f"{ARGO}/appprojects": items(item("alpha-dev", "argocd")),
        f"{ARGO}/applications": applications,
        f"{ARGO}/applicationsets": items(item("alpha-dev--deploy", "argocd"), item("by-hand", "argocd")),
        "/api/v1/namespaces/argocd/secrets": items(),
    }
    made = resource("kubernetes:argoproj.io/v1alpha1:ApplicationSet", "argocd/alpha-dev--deploy", provider=NONPROD)
    state = (*STATE, made)
    with serving({**CLEAN, **answers}) as api:
        environment = kubeconfig(tmp_path, api.url, api.url)
        inventory = scan(only(System.ARGOCD, api.url), state, environment=environment)
    assert names(inventory) == {
        *(
            ("alpha", "Application", f"nonprod-1: argocd/{name}")
            for name in ("alpha-dev--deploy.evil", "alpha-dev--deploy.prod", "alpha-dev--deployment", "handy", "other")
        ),
        (None, "ApplicationSet", "nonprod-1: argocd/by-hand"),
    }


def instances(dmz: ArgoCDInstance, url: str) -> Settings:
    """Settings of two zones with an Argo CD each: that of `lab` on nonprod-1, and this one of `dmz`, with prod-1."""
    base = only(System.ARGOCD, url)
    lab = ArgoCDInstance(ONLY_INSTANCE, "nonprod-1", "argocd", "https://argocd.example.test", ("lab",))
    prod = dataclasses.replace(base.clusters["prod-1"], zone="dmz")
    argocd = dataclasses.replace(base.argocd, instances=(lab, dmz))
    return dataclasses.replace(base, argocd=argocd, clusters={**base.clusters, "prod-1": prod}, zones=("lab", "dmz"))


def test_what_is_made_in_the_second_argo_cd_is_found(tmp_path: Path) -> None:
    """Also a project with the name of one that the first Argo CD has, and the cluster of the other zone."""
    state = (*STATE, resource("kubernetes:argoproj.io/v1alpha1:AppProject", "argocd/alpha-prod", provider=PROD))
    of_lab = {"server": base64.b64encode(b"https://nonprod.example.test").decode()}
    of_dmz = {"server": base64.b64encode(b"https://prod.example.test").decode()}
    empty = {f"{ARGO}/applications": items(), f"{ARGO}/applicationsets": items()}
    first = {
        f"{ARGO}/appprojects": items(item("alpha-dev", "argocd"), item("alpha-prod", "argocd")),
        "/api/v1/namespaces/argocd/secrets": items(item("usine-alpha--x", "argocd", data=of_lab)),
    }
    second = {
        f"{ARGO}/appprojects": items(item("alpha-prod", "argocd"), item("alpha-dev", "argocd"), item("beta", "argocd")),
        "/api/v1/namespaces/argocd/secrets": items(
            item("usine-alpha--x", "argocd", data=of_lab), item("usine-alpha--y", "argocd", data=of_dmz)
        ),
    }
    dmz = ArgoCDInstance("dmz", "prod-1", "argocd", "https://argocd-dmz.example.test", ("dmz",))
    with serving({**CLEAN, **empty, **first}) as near, serving({**CLEAN, **empty, **second}) as far:
        inventory = scan(instances(dmz, near.url), state, environment=kubeconfig(tmp_path, near.url, far.url))
    found = {(one.tenant, one.type.rpartition(":")[2], one.name, one.provider) for one in inventory.found}
    assert inventory.gaps == ()
    assert found == {
        ("alpha", "AppProject", "nonprod-1: argocd/alpha-prod", NONPROD),
        ("alpha", "AppProject", "prod-1: argocd/alpha-dev", PROD),
        ("beta", "AppProject", "prod-1: argocd/beta", PROD),
        # The server has one answer for credentials of repositories and of clusters.
        ("alpha", "Secret", "nonprod-1: argocd/usine-alpha--x", NONPROD),
        ("alpha", "Secret", "prod-1: argocd/usine-alpha--x", PROD),
        ("alpha", "Secret", "prod-1: argocd/usine-alpha--y", PROD),
        (None, "Secret", "prod-1: argocd/usine-alpha--x", PROD),
    }
    (registered,) = (one for one in inventory.found if one.type.endswith(":Secret") and one.tenant is None)
    assert registered.detail == "the credential of a cluster, https://nonprod.example.test"


def test_an_argo_cd_in_a_second_namespace_of_the_same_cluster_is_scanned(tmp_path: Path) -> None:
    edge = ARGO.replace("argocd", "argocd-edge")
    paths = ("appprojects", "applications", "applicationsets")
    empty = {f"{prefix}/{path}": items() for prefix in (ARGO, edge) for path in paths}
    secrets = {f"/api/v1/namespaces/{name}/secrets": items() for name in ("argocd", "argocd-edge")}
    made = {f"{edge}/appprojects": items(item("default", "argocd-edge"), item("alpha-dev", "argocd-edge"))}
    dmz = ArgoCDInstance("dmz", "nonprod-1", "argocd-edge", "https://argocd-edge.example.test", ("dmz",))
    with serving({**CLEAN, **empty, **secrets, **made}) as api:
        environment = kubeconfig(tmp_path, api.url, api.url)
        inventory = scan(instances(dmz, api.url), STATE, environment=environment)
    assert names(inventory) == {("alpha", "AppProject", "nonprod-1: argocd-edge/alpha-dev")}


@pytest.mark.parametrize("system", [System.KUBERNETES, System.ARGOCD])
def test_without_a_kubeconfig_the_scan_of_every_tenant_has_a_gap(tmp_path: Path, system: System) -> None:
    environment = {**ENVIRONMENT, "KUBECONFIG": str(tmp_path / "none")}
    inventory = scan(only(system, "http://127.0.0.1:9"), STATE, environment=environment)
    assert inventory.found == ()
    assert {gap.tenant for gap in inventory.gaps} == {None, "alpha", "beta"}
