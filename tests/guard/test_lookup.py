"""Finding the objects of an interrupted run in lists: a list that answers 404 is not an empty list."""

from __future__ import annotations

from typing import Any
from unittest.mock import create_autospec

import pytest

from model.settings import Endpoint, System
from tests.drift.inventory.api_server import NOTHING, Refused, serving
from tests.drift.inventory.scanning import ENVIRONMENT
from usine.clients import ClientError
from usine.engine.cli import Engine, EngineError
from usine.engine.lookup import Finder
from usine.engine.recover import recover

TOKEN = {"/realms/master/protocol/openid-connect/token": {"access_token": "t", "expires_in": 60}}
#: For each list: its system, the type and inputs of an object, the path of the list, the path of its owner.
LISTS = [
    (System.GITLAB, "projectEnvironment:ProjectEnvironment", {"project": 20, "name": "dev"},
     "/api/v4/projects/20/environments", "/api/v4/projects/20"),
    (System.GITLAB, "pipelineSchedule:PipelineSchedule", {"project": 20, "description": "x"},
     "/api/v4/projects/20/pipeline_schedules", "/api/v4/projects/20"),
    (System.GITLAB, "projectPackageProtectionRule:ProjectPackageProtectionRule",
     {"project": 20, "packageType": "npm", "packageNamePattern": "*"},
     "/api/v4/projects/20/packages/protection/rules", "/api/v4/projects/20"),
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
def test_a_404_of_a_list_is_an_error_unless_the_object_of_the_list_is_gone(
    system: System, type_: str, inputs: dict[str, Any], path: str, owner: str
) -> None:
    assert find({owner: {"id": 1}, path: []}, system, type_, inputs) is None
    assert find({}, system, type_, inputs) is None  # the owner is gone with its content
    with pytest.raises(ClientError, match="HTTP 404"):
        find({owner: {"id": 1}, path: Refused(404)}, system, type_, inputs)


def test_a_404_of_a_list_of_tokens_does_not_mean_that_a_token_is_gone() -> None:
    inputs, type_ = {"project": 20, "name": "argo"}, "gitlab:index/projectDeployToken:ProjectDeployToken"
    for there, expected in (({}, False), ({"/api/v4/projects/20": {"id": 20}}, None)):
        with serving(there) as api:
            finder = Finder({System.GITLAB: Endpoint(api.url)}, ENVIRONMENT)
            if expected is None:
                with pytest.raises(ClientError, match="HTTP 404"):
                    finder.remove_orphan(type_, inputs)
            else:
                assert finder.remove_orphan(type_, inputs) is expected


def test_a_404_of_vault_with_a_reason_is_an_error() -> None:
    inputs = {"name": "alpha.owner"}
    found = "/v1/identity/lookup/group"
    with serving({found: NOTHING}) as api:
        finder = Finder({System.VAULT: Endpoint(api.url)}, ENVIRONMENT)
        assert finder.find("vault:identity/group:Group", inputs) is None
    for answer in (Refused(404, body={"errors": ["unsupported path"]}), Refused(404)):
        with serving({found: answer}) as api, pytest.raises(ClientError, match="HTTP 404"):
            Finder({System.VAULT: Endpoint(api.url)}, ENVIRONMENT).find("vault:identity/group:Group", inputs)


def test_recovery_fails_and_changes_nothing_when_a_list_answers_404() -> None:
    type_ = "gitlab:index/projectEnvironment:ProjectEnvironment"
    resource = {
        "urn": f"urn:pulumi:s::usine::{type_}::alpha/dev",
        "type": type_,
        "inputs": {"project": 20, "name": "x"},
    }
    engine = create_autospec(Engine, instance=True)
    checkpoint: dict[str, object] = {"deployment": {"pending_operations": [{"type": "creating", "resource": resource}]}}
    with serving({"/api/v4/projects/20": {"id": 20}}) as api:
        finder = Finder({System.GITLAB: Endpoint(api.url)}, ENVIRONMENT)
        with pytest.raises(EngineError, match=r"may have created alpha/dev .* does not answer: HTTP 404\."):
            recover(engine, finder, checkpoint)
    engine.import_state.assert_not_called()
