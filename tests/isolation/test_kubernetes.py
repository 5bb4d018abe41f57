"""kube-apiserver gives people and workloads exactly the rights of the table, in every namespace.

People are known by their groups, workloads by their accounts. For each of them, the test asks for the server's own list
of rights in a namespace (SelfSubjectRulesReview), and creates pods with `dryRun=All` to test rights, admission policies
and Pod Security.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from lab.testing.platforms import TestLab
from model.tenant import Right
from tests import factories
from tests.engine.admission_model import changed, object_of, pod_spec
from tests.isolation.tenants import TENANTS, groups_of, has, people, plan

pytestmark = pytest.mark.servers

R = Right
#: (verb, API group, resource) -> who has this right in a namespace: viewers, people who may change it, or nobody.
LOOK, CHANGE, NOBODY = "look", "change", "nobody"
_RBAC, _NET = "rbac.authorization.k8s.io", "networking.k8s.io"
_MONITORING = "monitoring.coreos.com"
_KYVERNO = "policies.kyverno.io"
QUESTIONS: dict[tuple[str, str, str], str] = {
    **dict.fromkeys(
        [
            *(("list", "", "pods"), ("watch", "", "pods"), ("get", "", "pods/log"), ("get", "", "configmaps")),
            *(("list", "apps", "deployments"), ("get", _NET, "networkpolicies"), ("get", _RBAC, "rolebindings")),
            *(("get", "", "resourcequotas"), ("list", "", "events"), ("get", "batch", "jobs")),
            *(("get", _MONITORING, "alertmanagerconfigs"), ("list", _MONITORING, "prometheusrules")),
        ],
        LOOK,
    ),
    **dict.fromkeys(
        [
            *(
                ("create", "apps", "deployments"),
                ("delete", "", "pods"),
                ("create", "", "pods"),
                ("get", "", "secrets"),
            ),
            *(
                ("list", "", "secrets"),
                ("create", "", "pods/exec"),
                ("update", "", "services"),
                ("patch", "batch", "jobs"),
            ),
            *(
                ("create", _NET, "ingresses"),
                ("deletecollection", "", "configmaps"),
                ("update", "apps", "deployments/scale"),
            ),
        ],
        CHANGE,
    ),
    **dict.fromkeys(
        [
            *(
                ("create", _NET, "networkpolicies"),
                ("delete", _NET, "networkpolicies"),
                ("create", _RBAC, "rolebindings"),
            ),
            *(("create", _RBAC, "roles"), ("escalate", _RBAC, "roles"), ("bind", _RBAC, "clusterroles")),
            *(("update", "", "resourcequotas"), ("delete", "", "limitranges"), ("create", "", "serviceaccounts/token")),
            *(
                ("create", "", "endpoints"),
                ("update", "discovery.k8s.io", "endpointslices"),
                ("patch", "", "namespaces"),
            ),
            *(
                ("update", "", "pods/ephemeralcontainers"),
                ("impersonate", "", "serviceaccounts"),
                ("delete", "", "namespaces"),
            ),
            *(("create", "", "services/proxy"), ("create", "argoproj.io", "applications"), ("*", "*", "*")),
            # Who gets alerts, and without `operators` also rules and monitors.
            *(("create", _MONITORING, "alertmanagerconfigs"), ("patch", _MONITORING, "alertmanagerconfigs")),
            *(("delete", _MONITORING, "prometheusrules"), ("create", _MONITORING, "podmonitors")),
            *((verb, _KYVERNO, "namespacedimagevalidatingpolicies") for verb in ("create", "patch", "delete")),
            ("create", _KYVERNO, "policyexceptions"),
            *(("create", "velero.io", "restores"), ("create", "velero.io", "schedules")),
            # By an operator, these get into any Grafana whose labels they select.
            *(("create", "grafana.integreatly.org", f"grafana{kind}") for kind in ("dashboards", "datasources")),
        ],
        NOBODY,
    ),
}
#: Rights in the whole cluster, which no member of a tenant has.
CLUSTER_WIDE = (
    *(("list", "", "secrets"), ("list", "", "namespaces"), ("list", "", "nodes"), ("get", "", "nodes/proxy")),
    *(("create", "", "namespaces"), ("create", _RBAC, "clusterrolebindings"), ("impersonate", "", "users")),
    ("update", "admissionregistration.k8s.io", "validatingadmissionpolicies"),
    # A restore maps the namespaces of a backup to others; Velero acts with all rights.
    *(("create", "velero.io", "restores"), ("update", "velero.io", "schedules"), ("get", "velero.io", "backups")),
)
_PATHS = {
    "ClusterRole": f"/apis/{_RBAC}/v1/clusterroles",
    "ClusterRoleBinding": f"/apis/{_RBAC}/v1/clusterrolebindings",
    "Namespace": "/api/v1/namespaces",
    "RoleBinding": f"/apis/{_RBAC}/v1/namespaces/{{}}/rolebindings",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ValidatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
}
ENVIRONMENTS = ("dev", "prod")
REGISTRY = factories.settings().registry_host


def image(slug: str) -> str:
    return f"{REGISTRY}/{slug}/api:v1"


@pytest.fixture(scope="module")
def api(lab: TestLab) -> Iterator[httpx.Client]:
    """The API server with the plan's rights and admission policies for the tenants of the matrix."""
    client = lab.kubernetes
    objects = [dict(r.inputs) for r in plan().resources if r.inputs.get("kind") in _PATHS]
    made = []
    for kind, template in _PATHS.items():
        for found in (one for one in objects if one["kind"] == kind):
            metadata: Any = found["metadata"]
            path = template.format(metadata.get("namespace"))
            client.post(path, json=found).raise_for_status()
            if "{}" not in template:
                made.append(f"{path}/{metadata['name']}")
    _wait_for(lambda: _pod(client, _as("system:admin", ("system:masters",)), "live-dev", image("own")) == "admission")
    yield client
    for path in reversed(made):
        client.delete(path).raise_for_status()
    _wait_for(lambda: all(client.get(path).status_code == 404 for path in made if "/namespaces/" in path))


def _wait_for(holds: Any) -> None:
    """Wait until the condition holds, at most a minute: the server's caches are updated, or a namespace is gone."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _as(user: str, groups: tuple[str, ...]) -> list[tuple[str, str]]:
    return [("Impersonate-User", user), *(("Impersonate-Group", group) for group in (*groups, "system:authenticated"))]


def _person(person: str) -> list[tuple[str, str]]:
    return _as(f"oidc:{person}", tuple(f"oidc:{group}" for group in groups_of(person)))


def _account(namespace: str, account: str) -> list[tuple[str, str]]:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return _as(f"system:serviceaccount:{namespace}:{account}", groups)


def _rules(client: httpx.Client, who: list[tuple[str, str]], namespace: str) -> list[Mapping[str, Any]]:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    answer = client.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", json=review, headers=who)
    answer.raise_for_status()
    status = answer.json()["status"]
    assert not status["incomplete"]
    return list(status["resourceRules"])


def _holds(rules: list[Mapping[str, Any]], verb: str, group: str, resource: str) -> bool:
    def named(words: list[str], word: str) -> bool:
        return "*" in words or word in words

    return any(
        named(rule["verbs"], verb) and named(rule["apiGroups"], group) and named(rule["resources"], resource)
        for rule in rules
    )


def _allowed(client: httpx.Client, who: list[tuple[str, str]], verb: str, group: str, resource: str) -> bool:
    """Ask the server whether a user has a right in the whole cluster."""
    name, _, sub = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": name, "subresource": sub}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = client.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json=review, headers=who)
    answer.raise_for_status()
    return bool(answer.json()["status"]["allowed"])


def rights_in(person: str, slug: str, environment: str) -> set[str]:
    """Return the rights of a person in a namespace according to the table."""
    prod = environment == "prod"
    change = R.KUBERNETES_CHANGE_PROD if prod else R.KUBERNETES_CHANGE_NONPROD
    look = R.KUBERNETES_VIEW_PROD if prod else R.KUBERNETES_VIEW_NONPROD
    return {what for what, right in ((LOOK, look), (CHANGE, change)) if has(person, slug, right)}


def test_people_have_exactly_the_rights_of_the_table_in_every_namespace(api: httpx.Client) -> None:
    wrong, asked, granted = [], 0, 0
    for person in people():
        who = _person(person)
        for slug, environment in [*itertools.product(TENANTS, ENVIRONMENTS), ("kube", "system")]:
            rules = _rules(api, who, f"{slug}-{environment}")
            given = rights_in(person, slug, environment) if slug in TENANTS else set()
            for question, what in QUESTIONS.items():
                asked += 1
                granted += what in given
                if _holds(rules, *question) != (what in given):
                    wrong.append(f"{person} in {slug}-{environment}: {question}, {what}, {sorted(given)}")
        wrong += [f"{person}: {question}" for question in CLUSTER_WIDE if _allowed(api, who, *question)]
    assert not wrong, "\n".join(wrong)
    assert asked > 10_000
    assert granted > 500


def test_service_accounts_have_no_rights_in_other_namespaces(api: httpx.Client) -> None:
    """Argo CD's deployer may change its own namespace. The other accounts, including Vault's, have no rights."""
    wrong = []
    accounts = [dict(r.inputs["metadata"]) for r in plan().resources if r.inputs.get("kind") == "ServiceAccount"]  # type: ignore[call-overload]
    names = {(str(found["namespace"]), str(found["name"])) for found in accounts}
    assert ("live-dev", "usine-deployer") in names
    assert ("closed-dev", "vault") not in names
    for (home, account), (slug, environment) in itertools.product(
        {*names, *((namespace, "default") for namespace, _ in names)}, itertools.product(TENANTS, ENVIRONMENTS)
    ):
        namespace = f"{slug}-{environment}"
        given = {LOOK, CHANGE} if account == "usine-deployer" and home == namespace else set()
        rules = _rules(api, _account(home, account), namespace)
        for question, what in QUESTIONS.items():
            if question[2] == "pods/exec" or question[2] == "deployments/scale":
                continue  # a deployer does not need these rights
            if _holds(rules, *question) != (what in given):
                wrong.append(f"{home}:{account} in {namespace}: {question}")
    for home, account in names:
        who = _account(home, account)
        reviews = ("create", "authentication.k8s.io", "tokenreviews")
        if _allowed(api, who, *reviews) != (account == "vault"):
            wrong.append(f"{home}:{account}: {reviews}")
        wrong += [f"{home}:{account}: {question}" for question in CLUSTER_WIDE if _allowed(api, who, *question)]
    assert not wrong, "\n".join(wrong)


def _pod(
    client: httpx.Client, who: list[tuple[str, str]], namespace: str, ref: str, path: str = "", value: Any = None
) -> str:
    """Try to create a pod and return what refuses it: rights, admission (policies, Pod Security), or nothing."""
    body = object_of("v1", "Pod", spec=pod_spec(ref))
    body = changed(body, path, value) if path else body
    answer = client.post(f"/api/v1/namespaces/{namespace}/pods?dryRun=All", json=body, headers=who)
    if answer.status_code == 201:
        return ""
    assert answer.status_code in (403, 422), answer.text
    return "rights" if "cannot create resource" in answer.text else "admission"


def test_people_who_may_change_a_namespace_can_create_only_safe_pods(api: httpx.Client) -> None:
    wrong, ran = [], 0
    privileged = ("spec/containers/0/securityContext/privileged", True)
    for person, slug, environment in itertools.product(people(), TENANTS, ENVIRONMENTS):
        who, namespace = _person(person), f"{slug}-{environment}"
        if CHANGE not in rights_in(person, slug, environment):
            found = {"own image": _pod(api, who, namespace, image(slug))}
            expected = {"own image": "rights"}
        else:
            other = next(tenant for tenant in TENANTS if tenant != slug)
            found = {
                "own image": _pod(api, who, namespace, image(slug)),
                "another tenant's image": _pod(api, who, namespace, image(other)),
                "privileged": _pod(api, who, namespace, image(slug), *privileged),
                "on the node's network": _pod(api, who, namespace, image(slug), "spec/hostNetwork", value=True),
                "as the deployer": _pod(api, who, namespace, image(slug), "spec/serviceAccountName", "usine-deployer"),
            }
            expected = dict.fromkeys(found, "admission") | {"own image": ""}
            ran += 1
        if found != expected:
            wrong.append(f"{person} in {namespace}: {found}")
    assert not wrong, "\n".join(wrong)
    assert ran > 10
