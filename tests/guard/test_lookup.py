"""What an interrupted run made is looked for in lists: one that is not found is not one without it."""

from __future__ import annotations

from typing import Any
from unittest.mock import create_autospec

import pytest

from model.settings import Endpoint, System
from tests.drift.inventory.api_server import NOTHING, Refused, serving
from tests.drift.inventory.looking import ENVIRONMENT
from usine.clients import ClientError
from usine.engine.cli import Engine, EngineError
from usine.engine.lookup import Finder
from usine.engine.recover import recover

TOKEN = {"/realms/master/protocol/openid-connect/token": {"access_token": "t", "expires_in": 60}}
#: Of each list that is read: its system, what is looked for, the list, and the object that the list belongs to.
LISTS = [
    (System.GITLAB, "projectEnvironment:ProjectEnvironment", {"project": 20, "name": "dev"},
     "/api/v4/projects/20/environments", "/api/v4/projects/20"),
    (System.GITLAB, "pipelineSchedule:PipelineSchedule", {"project": 20, "description": "x"},
     "/api/v4/projects/20/pipeline_schedules", "/api/v4/projects/20"),
    (System.HARBOR, "projectMemberGroup:ProjectMemberGroup", {"projectId": "/projects/2", "groupName": "/a"},
     "/api/v2.0/projects/2/members", "/api/v2.0/projects/2"),
    (System.HARBOR, "immutableTagRule:ImmutableTagRule", {"projectId": "/projects/2", "tagMatching": "v*"},
     "/api/v2.0/projects/2/immutabletagrules", "/api/v2.0/projects/2"),
    (System.KEYCLOAK, "group:Group", {"realmId": "usine", "name": "dev"},
     "/admin/realms/usine/groups", "/admin/realms/usine"),
    (System.KEYCLOAK, "group:Group", {"realmId": "usine", "name": "dev", "parentId": "g"},
     "/admin/realms/usine/groups/g/children", "/admin/realms/usine/groups/g"),
    (System.KEYCLOAK, "user:User", {"realmId": "usine", "username": "x"},
     "/admin/realms/usine/users", "/admin/realms/usine"),
]  # fmt: skip


def find(answers: dict[str, Any], system: System, type_: str, inputs: dict[str, Any]) -> str | None:
    with serving({**TOKEN, **answers}) as api:
        return Finder({system: Endpoint(api.url)}, ENVIRONMENT).find(f"{system.value}:index/{type_}", inputs)


@pytest.mark.parametrize(("system", "type_", "inputs", "path", "owner"), LISTS)
def test_a_list_that_is_not_found_is_no_answer(
    system: System, type_: str, inputs: dict[str, Any], path: str, owner: str
) -> None:
    assert find({owner: {"id": 1}, path: []}, system, type_, inputs) is None
    assert find({}, system, type_, inputs) is None  # the owner is gone, with all that was in it
    with pytest.raises(ClientError, match="HTTP 404"):
        find({owner: {"id": 1}, path: Refused(404)}, system, type_, inputs)


def test_a_token_is_not_taken_for_gone_where_its_list_is_not_found() -> None:
    inputs, type_ = {"project": 20, "name": "argo"}, "gitlab:index/projectDeployToken:ProjectDeployToken"
    for there, expected in (({}, False), ({"/api/v4/projects/20": {"id": 20}}, None)):
        with serving(there) as api:
            finder = Finder({System.GITLAB: Endpoint(api.url)}, ENVIRONMENT)
            if expected is None:
                with pytest.raises(ClientError, match="HTTP 404"):
                    finder.remove_orphan(type_, inputs)
            else:
                assert finder.remove_orphan(type_, inputs) is expected


def test_vault_says_why_where_it_is_not_only_empty() -> None:
    inputs = {"name": "alpha.owner"}
    found = "/v1/identity/lookup/group"
    with serving({found: NOTHING}) as api:
        finder = Finder({System.VAULT: Endpoint(api.url)}, ENVIRONMENT)
        assert finder.find("vault:identity/group:Group", inputs) is None
    for answer in (Refused(404, body={"errors": ["unsupported path"]}), Refused(404)):
        with serving({found: answer}) as api, pytest.raises(ClientError, match="HTTP 404"):
            Finder({System.VAULT: Endpoint(api.url)}, ENVIRONMENT).find("vault:identity/group:Group", inputs)


def test_a_run_is_not_begun_where_a_list_is_not_found() -> None:
    type_ = "gitlab:index/projectEnvironment:ProjectEnvironment"
    resource = {
        "urn": f"urn:pulumi:s::usine::{type_}::alpha/dev",
        "type": type_,
        "inputs": {"project": 20, "name": "x"},
    }
    engine = create_autospec(Engine, instance=True)
    engine.export_state.return_value = {
        "deployment": {"pending_operations": [{"type": "creating", "resource": resource}]}
    }
    with serving({"/api/v4/projects/20": {"id": 20}}) as api:
        finder = Finder({System.GITLAB: Endpoint(api.url)}, ENVIRONMENT)
        with pytest.raises(EngineError, match=r"may have created alpha/dev .* does not answer: HTTP 404\."):
            recover(engine, finder)
    engine.import_state.assert_not_called()
