"""Objects broken by hand, in each system: `preview --refresh` names exactly them, `up` makes them good again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine import live
from tests.engine.breaks import FORGE, Breaks
from tests.engine.harness import Stack
from tests.engine.test_platform import ALPHA
from tests.lab_fixture import TestLab

pytestmark = pytest.mark.servers

_MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture(scope="module")
def stack(lab: TestLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(lab, "drift", tmp_path_factory.mktemp("drift"))
    stack.tenant("alpha", ALPHA)
    stack.up().must()
    yield stack
    stack.close()


def _group(lab: TestLab, path: str) -> str:
    lab.keycloak.connection.realm_name = live.REALM
    return str(lab.keycloak.get_group_by_path(path)["id"])


def add_a_member(lab: TestLab) -> None:
    group = _group(lab, "/alpha/admin")
    user = lab.keycloak.get_user_id("emma.leroy")
    assert user is not None
    lab.keycloak.group_user_add(user, group)


def delete_a_group(lab: TestLab) -> None:
    lab.keycloak.delete_group(_group(lab, "/alpha/security"))


def redirect_a_client(lab: TestLab) -> None:
    lab.keycloak.connection.realm_name = live.REALM
    client = lab.keycloak.get_client_id("argocd")
    assert client is not None
    lab.keycloak.update_client(client, {"redirectUris": ["https://evil.example/*"]})


def widen_a_policy(lab: TestLab) -> None:
    lab.vault.sys.create_or_update_acl_policy("alpha.env.dev", 'path "*" { capabilities = ["read"] }')


def rebind_a_workload_role(lab: TestLab) -> None:
    role = "auth/kubernetes/nonprod-1/role/alpha-dev"
    current = lab.vault.read(role)["data"]
    lab.vault.write_data(role, data={**current, "bound_service_account_namespaces": ["kube-system"]})


def delete_a_workload_role(lab: TestLab) -> None:
    lab.vault.delete("auth/kubernetes/prod-1/role/alpha-prod")


def raise_a_quota(lab: TestLab) -> None:
    patch = {"spec": {"hard": {"limits.cpu": "64"}}}
    url = "/api/v1/namespaces/alpha-dev/resourcequotas/usine"
    lab.kubernetes.patch(url, json=patch, headers=_MERGE).raise_for_status()


def delete_a_network_policy(lab: TestLab) -> None:
    url = "/apis/networking.k8s.io/v1/namespaces/alpha-prod/networkpolicies/default-deny"
    lab.kubernetes.delete(url).raise_for_status()


def relax_pod_security(lab: TestLab) -> None:
    patch = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    lab.kubernetes.patch("/api/v1/namespaces/alpha-dev", json=patch, headers=_MERGE).raise_for_status()


def add_a_subject(lab: TestLab) -> None:
    subject = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "oidc:/other/admin"}
    url = "/apis/rbac.authorization.k8s.io/v1/namespaces/alpha-prod/rolebindings/usine-rw"
    lab.kubernetes.patch(url, json={"subjects": [subject]}, headers=_MERGE).raise_for_status()


def open_an_argocd_project(lab: TestLab) -> None:
    url = "/apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects/alpha-dev"
    patch = {"spec": {"sourceRepos": ["*"]}}
    lab.kubernetes.patch(url, json=patch, headers=_MERGE).raise_for_status()


def delete_an_application(lab: TestLab) -> None:
    url = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/alpha-prod--deploy"
    lab.kubernetes.delete(url).raise_for_status()


#: What is broken by hand, and exactly what the engine must then name.
CASES: dict[str, Breaks] = {
    "keycloak": {
        add_a_member: {"alpha/keycloak/group/admin/members": "update"},
        delete_a_group: {
            "alpha/keycloak/group/security": "create",
            "alpha/keycloak/group/security/members": "create",
        },
        redirect_a_client: {"foundation/keycloak/client/argocd": "update"},
    },
    "vault": {
        widen_a_policy: {"alpha/vault/policy/env/dev": "update"},
        rebind_a_workload_role: {"alpha/vault/kubernetes-role/dev": "update"},
        delete_a_workload_role: {"alpha/vault/kubernetes-role/prod": "create"},
    },
    "kubernetes": {
        raise_a_quota: {"alpha/kubernetes/dev/quota": "update"},
        delete_a_network_policy: {"alpha/kubernetes/prod/network/default-deny": "create"},
        relax_pod_security: {"alpha/kubernetes/dev/namespace": "update"},
        add_a_subject: {"alpha/kubernetes/prod/binding/rw": "update"},
    },
    "argocd": {
        open_an_argocd_project: {"alpha/argocd/dev/project": "update"},
        delete_an_application: {"alpha/argocd/prod/deploy": "create"},
    },
    **FORGE,
}


def test_changes_by_hand_are_named_and_repaired(stack: Stack) -> None:
    before = live.snapshot(stack.lab)
    expected: dict[str, str] = {}
    # All systems at once: what one break hides of another is a fault too, and each look costs a whole engine run.
    for breaks in CASES.values():
        for break_it, named in breaks.items():
            try:
                break_it(stack.lab)
            finally:
                stack.lab.keycloak.connection.realm_name = "master"
            expected |= named
    broken = live.snapshot(stack.lab)
    assert broken != before
    assert stack.drift().must().ops() == expected
    assert live.snapshot(stack.lab) == broken, "looking for drift changed something"
    stack.up("--refresh").must()
    assert live.snapshot(stack.lab) == before
    assert stack.drift().must().steps == ()
