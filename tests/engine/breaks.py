"""Objects broken by hand in each system, and what the engine must then name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from lab.testing.platforms import TestLab
from tests.engine import live, live_forge

Breaks = dict[Callable[[TestLab], None], dict[str, str]]

_MERGE = {"Content-Type": "application/merge-patch+json"}
_API = "/projects/tenants%2Falpha%2Fapi"


# Keycloak, Vault, Kubernetes and Argo CD -----------------------------------------------------------------------------


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


def widen_a_policy(lab: TestLab, slug: str = "alpha") -> None:
    lab.vault.sys.create_or_update_acl_policy(f"{slug}.env.dev", 'path "*" { capabilities = ["read"] }')


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


def replace_the_subjects(lab: TestLab) -> None:
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


# GitLab, Harbor and SonarQube -----------------------------------------------------------------------------------------


def _done(answer: httpx.Response) -> None:
    assert answer.is_success, answer.text


def _person(lab: TestLab, user: str) -> int:
    return int(live_forge.get(lab.gitlab, "users", username=user)[0]["id"])


def raise_a_member(lab: TestLab) -> None:
    user = _person(lab, "emma.leroy")
    _done(lab.gitlab.put(f"/groups/tenants%2Falpha/members/{user}", data={"access_level": 40}))


def unprotect_a_branch(lab: TestLab) -> None:
    _done(lab.gitlab.delete(f"{_API}/protected_branches/main"))


def loosen_a_project(lab: TestLab) -> None:
    _done(lab.gitlab.put(_API, data={"only_allow_merge_if_pipeline_succeeds": "false"}))


def delete_a_variable(lab: TestLab) -> None:
    _done(lab.gitlab.delete("/groups/tenants%2Falpha/variables/USINE_TENANT"))


def open_the_job_token(lab: TestLab) -> None:
    _done(lab.gitlab.patch(f"{_API}/job_token_scope", json={"enabled": False}))


def _project(lab: TestLab) -> dict[str, Any]:
    found: dict[str, Any] = live_forge.get(lab.harbor, "projects/alpha")
    return found


def publish_the_images(lab: TestLab) -> None:
    _done(lab.harbor.put("/projects/alpha", json={"metadata": {"public": "true"}}))


def raise_a_registry_member(lab: TestLab) -> None:
    path = f"/projects/{_project(lab)['project_id']}/members"
    member = next(m for m in live_forge.pages(lab.harbor, path, "page_size") if m["entity_name"] == "/alpha/developer")
    _done(lab.harbor.put(f"{path}/{member['id']}", json={"role_id": 1}))


def delete_a_robot(lab: TestLab) -> None:
    query = f"Level=project,ProjectID={_project(lab)['project_id']}"
    robots = live_forge.pages(lab.harbor, "robots", "page_size", q=query)
    robot = next(r for r in robots if r["name"].endswith("+push-1"))
    _done(lab.harbor.delete(f"/robots/{robot['id']}"))


def let_tags_be_overwritten(lab: TestLab) -> None:
    path = f"/projects/{_project(lab)['project_id']}/immutabletagrules"
    rule = live_forge.get(lab.harbor, path)[0]
    _done(lab.harbor.delete(f"{path}/{rule['id']}"))


def grant_a_permission(lab: TestLab) -> None:
    body = {"projectKey": "alpha:api", "groupName": "/alpha/readonly", "permission": "admin"}
    _done(lab.sonarqube.post("/api/permissions/add_group", data=body))


def choose_another_gate(lab: TestLab) -> None:
    body = {"projectKey": "alpha:api", "gateName": "Sonar way"}
    _done(lab.sonarqube.post("/api/qualitygates/select", data=body))


def shorten_the_new_code_period(lab: TestLab) -> None:
    body = {"project": "alpha:api", "type": "NUMBER_OF_DAYS", "value": "1"}
    _done(lab.sonarqube.post("/api/new_code_periods/set", data=body))


#: What is broken by hand in each system, and exactly what `preview --refresh` must then name.
SEEN_BY_THE_ENGINE: dict[str, Breaks] = {
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
        replace_the_subjects: {"alpha/kubernetes/prod/binding/rw": "update"},
    },
    "argocd": {
        open_an_argocd_project: {"alpha/argocd/dev/project": "update"},
        delete_an_application: {"alpha/argocd/prod/deploy": "create"},
    },
    "gitlab": {
        raise_a_member: {"alpha/gitlab/member/emma.leroy": "update"},
        unprotect_a_branch: {"alpha/gitlab/api/branch/main": "create"},
        loosen_a_project: {"alpha/gitlab/api/project": "update"},
        delete_a_variable: {"alpha/gitlab/variable/USINE_TENANT": "create"},
        open_the_job_token: {"alpha/gitlab/api/job-token-scope": "update"},
    },
    "harbor": {
        publish_the_images: {"alpha/harbor/project": "update"},
        raise_a_registry_member: {"alpha/harbor/member/developer": "update"},
        # Its secret goes with it: what held it gets the new one.
        delete_a_robot: {
            "alpha/harbor/robot/push-1": "create",
            "alpha/vault/pipelines/secret/ci/registry/push": "update",
        },
        let_tags_be_overwritten: {"alpha/harbor/immutable/v*": "create"},
    },
    "sonarqube": {
        grant_a_permission: {"alpha/sonarqube/api/permissions": "update"},
        choose_another_gate: {"alpha/sonarqube/api/gate": "update"},
        shorten_the_new_code_period: {"alpha/sonarqube/api/new-code": "update"},
    },
}
