"""The real API server accepts the monitoring objects of the program, and refuses those that reach outside a tenant.

It has the Prometheus operator's own definitions: it refuses a field that they do not have.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lab.testing.platforms import TestLab
from tests.engine import admission, admission_monitoring
from tests.engine.admission_model import Attempt, object_of
from tests.observability.fleet import tenant
from tests.plans import plan_of

pytestmark = pytest.mark.servers

_RBAC, _ADMISSION = "apis/rbac.authorization.k8s.io/v1", "apis/admissionregistration.k8s.io/v1"
_V1 = "apis/monitoring.coreos.com/v1"
#: By kind, in the order of their creation.
_PATHS = {
    "Namespace": "api/v1/namespaces",
    "ServiceMonitor": f"{_V1}/namespaces/{{}}/servicemonitors",
    "PodMonitor": f"{_V1}/namespaces/{{}}/podmonitors",
    "PrometheusRule": f"{_V1}/namespaces/{{}}/prometheusrules",
    "AlertmanagerConfig": "apis/monitoring.coreos.com/v1alpha1/namespaces/{}/alertmanagerconfigs",
}
_POLICIES = {
    kind: f"{_ADMISSION}/{kind.lower()[:-1]}ies" if kind.endswith("y") else f"{_ADMISSION}/{kind.lower()}s"
    for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
}
_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "opened"}
_MEMBER = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "oidc:/alpha/dev/rw"}


def create(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    answer = client.post(f"/{path}?fieldValidation=Strict", json=body)
    assert answer.is_success, f"{body['kind']} {body['metadata']['name']}: {answer.text}"


@pytest.fixture(scope="module")
def api(lab: TestLab) -> Iterator[httpx.Client]:
    """The API server with alpha and its monitoring; a role opens all kinds of the operator to its developers."""
    client = lab.kubernetes
    objects: list[dict[str, Any]] = [dict(r.inputs) for r in plan_of(tenant("alpha")).resources if "kind" in r.inputs]
    # Other tests of this platform may have Argo CD, and with it its namespace.
    known = client.get("/api/v1/namespaces/argocd").is_success
    own = [] if known else [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}]
    made = []
    for kind, path in _POLICIES.items():
        for found in (one for one in objects if one["kind"] == kind):
            create(client, path, found)
            made.append(f"/{path}/{found['metadata']['name']}")
    for kind, path in _PATHS.items():
        for found in (one for one in [*own, *objects] if one["kind"] == kind):
            where = path.format(found["metadata"].get("namespace"))
            # The other objects go with their namespace.
            if kind == "Namespace" or (known and "/argocd/" in where):
                made.append(f"/{where}/{found['metadata']['name']}")
            create(client, where, found)
    role = {**object_of("rbac.authorization.k8s.io/v1", "Role"), "rules": [admission_monitoring.MEMBER]}
    bound = {**object_of("rbac.authorization.k8s.io/v1", "RoleBinding"), "roleRef": _ROLE, "subjects": [_MEMBER]}
    for plural, body in (("roles", role), ("rolebindings", bound)):
        create(client, f"{_RBAC}/namespaces/alpha-dev/{plural}", {**body, "metadata": {"name": "opened"}})
    deadline = time.monotonic() + 60
    probe = object_of("monitoring.coreos.com/v1", "Probe", spec={})
    while admission.send(client, Attempt("", f"{_V1}/probes", probe, who="operator")).status_code != 403:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    yield client
    for path in reversed(made):
        client.delete(path).raise_for_status()
    deadline = time.monotonic() + 60
    while any(client.get(path).status_code != 404 for path in made if "/namespaces/" in path):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_objects_that_reach_outside_the_tenant_are_refused(api: httpx.Client) -> None:
    wrong = []
    for what, path, good, bad in admission_monitoring.monitoring_kinds():
        attempts = [Attempt(f"{what}: {stop}", path, body, stop, "operator") for stop, body in bad]
        if good is not None:
            attempts.append(Attempt(what, path, good, who="operator"))
        for attempt in attempts:
            answer = admission.send(api, attempt)
            refused = answer.status_code == 403 and attempt.stop in answer.text
            if not (refused if attempt.stop else answer.is_success):
                wrong.append(f"{attempt.what} {attempt.body['spec']}: {answer.status_code} {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)


def test_a_member_cannot_change_the_platform_s_objects_where_the_cluster_opens_rules(api: httpx.Client) -> None:
    member = admission.headers("person")
    own = object_of("monitoring.coreos.com/v1", "PrometheusRule", spec={"groups": []})
    where = f"/{_V1}/namespaces/alpha-dev"
    answer = api.post(f"{where}/prometheusrules?dryRun=All", json=own, headers=member)
    assert answer.is_success, answer.text
    merge = [*member, ("Content-Type", "application/merge-patch+json")]
    for method, path, body in admission_monitoring.on_platform_objects():
        answer = api.request(
            method, f"{where}/{path}?dryRun=All", json=body, headers=merge if method == "PATCH" else member
        )
        assert (answer.status_code, "this object is the platform's" in answer.text) == (403, True), answer.text
    # The platform's identity may delete namespaces, and therefore change its objects.
    assert api.delete(f"{where}/prometheusrules/usine?dryRun=All").is_success
