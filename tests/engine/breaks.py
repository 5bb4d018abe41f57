"""Objects broken by hand in GitLab, Harbor and SonarQube, and what the engine must then name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from tests.engine import live_forge
from tests.lab_fixture import TestLab

Breaks = dict[Callable[[TestLab], None], dict[str, str]]

_API = "/projects/tenants%2Falpha%2Fapi"


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


FORGE: dict[str, Breaks] = {
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
