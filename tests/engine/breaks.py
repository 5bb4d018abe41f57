"""Managed objects changed or deleted outside the program, in each system."""

from __future__ import annotations

from typing import Any

import httpx

from lab.testing.platforms import TestLab
from tests.engine import live, live_forge

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


def delete_the_alerts(lab: TestLab) -> None:
    url = "/apis/monitoring.coreos.com/v1/namespaces/alpha-dev/prometheusrules/usine"
    lab.kubernetes.delete(url).raise_for_status()


def raise_a_limit_of_samples(lab: TestLab) -> None:
    url = "/apis/monitoring.coreos.com/v1/namespaces/alpha-prod/servicemonitors/usine"
    lab.kubernetes.patch(url, json={"spec": {"sampleLimit": 9_000_000}}, headers=_MERGE).raise_for_status()


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
