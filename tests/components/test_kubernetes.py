"""The content of a tenant's namespace, and the admission policies of its cluster."""

from __future__ import annotations

import dataclasses
from typing import Any

from components.kubernetes.cluster_roles import DENIED_KINDS, ClusterRoleName, cluster_roles
from model.clusters import Operator, WorkloadRules
from model.settings import Settings, System
from tests import factories
from tests.plans import plan_of
from usine.plan import Plan

TENANT_ROLES = (ClusterRoleName.READ_ONLY, ClusterRoleName.READ_WRITE, ClusterRoleName.DEPLOYER)
#: Resources that move traffic or rights out of a namespace, or define its limits.
GUARDS = {
    "endpoints", "endpointslices", "networkpolicies", "resourcequotas", "limitranges", "roles", "rolebindings",
    "probes", "issuers", "clusterissuers", "clustersecretstores", "clusterexternalsecrets", "pushsecrets", "webhooks",
    "namespaces", "validatingadmissionpolicies", "validatingadmissionpolicybindings", "gateways", "referencegrants",
    "imagevalidatingpolicies", "namespacedimagevalidatingpolicies", "policyexceptions",
    "serviceaccounts/token", "services/status", "pods/ephemeralcontainers",
}  # fmt: skip


def objects_of(plan: Plan, kind: str) -> list[dict[str, Any]]:
    return [dict(r.inputs) for r in plan.resources if r.inputs.get("kind") == kind]


def objects(plan: Plan, kind: str) -> dict[str, Any]:
    return {str(one["metadata"]["name"]): one for one in objects_of(plan, kind)}


def test_no_role_of_a_tenant_can_write_isolating_resources() -> None:
    for role in TENANT_ROLES:
        for grant in cluster_roles(tuple(Operator))[role]:
            if set(grant.verbs) & {"create", "update", "patch", "delete"}:
                assert not set(grant.resources) & GUARDS, role
            # An application or a set of a team's own could name any project that lists its namespace.
            assert "argoproj.io" not in grant.groups, role
    assert {kind for _, kind in DENIED_KINDS} >= {
        *(
            "Endpoints",
            "EndpointSlice",
            "NetworkPolicy",
            "ResourceQuota",
            "AppProject",
            "Application",
            "ApplicationSet",
        ),
        *("NamespacedImageValidatingPolicy", "PolicyException"),
    }


def test_resources_of_operators_are_read_only_until_the_cluster_opens_them() -> None:
    def written(operators: tuple[Operator, ...], role: ClusterRoleName) -> set[str]:
        grants = cluster_roles(operators)[role]
        kinds = {"external-secrets.io", "monitoring.coreos.com", "cert-manager.io"}
        return {r for g in grants if "create" in g.verbs and kinds & set(g.groups) for r in g.resources}

    for role in (ClusterRoleName.READ_WRITE, ClusterRoleName.DEPLOYER):
        assert written((), role) == set()
        assert written((Operator.CERT_MANAGER,), role) == {"certificates"}
        everything = {"certificates", "externalsecrets", "podmonitors", "prometheusrules", "secretstores"}
        assert written(tuple(Operator), role) == {*everything, "servicemonitors"}
    assert written(tuple(Operator), ClusterRoleName.READ_ONLY) == set()


def test_a_service_account_may_only_create_token_reviews() -> None:
    plan = plan_of(factories.tenant())
    bindings = objects(plan, "ClusterRoleBinding")
    assert {name: b["roleRef"]["name"] for name, b in bindings.items()} == {
        "usine:teleservice-dev:vault": "usine:nonprod-1:token-review",
        "usine:teleservice-prod:vault": "usine:prod-1:token-review",
    }
    assert objects(plan, "ClusterRole")["usine:prod-1:token-review"]["rules"] == [
        {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
    ]


def test_every_admission_policy_applies_to_tenants_namespaces_on_every_cluster() -> None:
    plan = plan_of(factories.tenant())
    policies, bindings = (objects(plan, f"ValidatingAdmissionPolicy{part}") for part in ("", "Binding"))
    rules = {
        *("claims", "ingresses", "namespaces", "pods", "routes", "secrets", "services"),
        *("certificates", "external-secrets", "issuers", "monitors", "probes", "pushes", "stores"),
        *("alert-rules", "platform-monitoring", "receivers"),
    }
    assert policies.keys() == bindings.keys() == {f"usine.{c}.{r}" for c in ("nonprod-1", "prod-1") for r in rules}
    for name, policy in policies.items():
        assert policy["spec"]["failurePolicy"] == "Fail"
        assert bindings[name]["spec"] == {"policyName": name, "validationActions": ["Deny"]}
        matched = policy["spec"]["matchConstraints"]
        if name.endswith(".namespaces"):
            assert "namespaceSelector" not in matched
        else:
            assert matched["namespaceSelector"] == {
                "matchExpressions": [{"key": "usine.dev/tenant", "operator": "Exists"}]
            }


def on_one_server() -> Settings:
    base = factories.settings()
    clusters = {
        name: dataclasses.replace(cluster, server="https://one.example.test") for name, cluster in base.clusters.items()
    }
    return dataclasses.replace(base, clusters=clusters)


def test_two_clusters_on_one_server_select_their_own_namespaces() -> None:
    plan = plan_of(factories.tenant(), settings=on_one_server())
    policy = objects(plan, "ValidatingAdmissionPolicy")["usine.prod-1.pods"]
    expressions = policy["spec"]["matchConstraints"]["namespaceSelector"]["matchExpressions"]
    assert {"key": "usine.dev/cluster", "operator": "NotIn", "values": ["nonprod-1"]} in expressions
    namespace = objects(plan, "Namespace")["teleservice-prod"]["metadata"]
    assert namespace["labels"]["usine.dev/cluster"] == "prod-1"


def test_a_namespace_names_the_hosts_of_its_environment() -> None:
    environment = factories.environment(url="https://b.example.fr:8443/x", hosts=("c.example.fr", "a.example.fr"))
    plan = plan_of(factories.tenant(environments=(environment,)))
    annotations = objects(plan, "Namespace")["teleservice-dev"]["metadata"]["annotations"]
    assert annotations["usine.dev/hosts"] == "a.example.fr,b.example.fr,c.example.fr"
    bare = plan_of(factories.tenant(environments=(factories.environment(url=None),)))
    assert objects(bare, "Namespace")["teleservice-dev"]["metadata"]["annotations"]["usine.dev/hosts"] == ""
    assert "allow-ingress" not in objects(bare, "NetworkPolicy")


def test_a_quota_also_limits_objects_and_node_disk() -> None:
    plan = plan_of(factories.tenant())
    (quota,) = [one for one in objects_of(plan, "ResourceQuota") if one["metadata"]["namespace"] == "teleservice-dev"]
    hard, pods = quota["spec"]["hard"], factories.environment("dev").quota.pods
    assert hard["pods"] == str(pods)
    assert hard["requests.ephemeral-storage"] == f"{pods}Gi"
    assert hard["limits.ephemeral-storage"] == f"{4 * pods}Gi"
    counted = {name for name, value in hard.items() if value == str(10 * pods)}
    assert counted >= {"configmaps", "secrets", "services", "persistentvolumeclaims", "count/jobs.batch"}
    (limits,) = [one for one in objects_of(plan, "LimitRange") if one["metadata"]["namespace"] == "teleservice-dev"]
    (container,) = limits["spec"]["limits"]
    # With a quota on it, Kubernetes refuses every pod without a value or default.
    assert "ephemeral-storage" in container["default"]
    assert "ephemeral-storage" in container["defaultRequest"]


def pods_rule(**changes: Any) -> str:
    rules, systems = changes.pop("workloads", WorkloadRules()), changes.pop("systems", frozenset(System))
    base = factories.settings(systems=systems)
    clusters = {name: dataclasses.replace(c, workloads=rules) for name, c in base.clusters.items()}
    plan = plan_of(settings=dataclasses.replace(base, clusters=clusters))
    return str(objects(plan, "ValidatingAdmissionPolicy")["usine.prod-1.pods"]["spec"])


def test_the_settings_allow_more_images_and_priority_classes() -> None:
    rule = pods_rule(workloads=WorkloadRules(images=("r.example/base/", "r.example/tool"), priority_classes=("low",)))
    assert '["r.example/base/", "r.example/tool:", "r.example/tool@"]' in rule
    assert '["", "low"]' in rule
    without = frozenset(System) - {System.HARBOR}
    assert "images" not in pods_rule(systems=without)  # no source of images is configured
    listed = pods_rule(systems=without, workloads=WorkloadRules(images=("r.example/base/",)))
    assert "r.example/base/" in listed
    assert "harbor" not in listed
