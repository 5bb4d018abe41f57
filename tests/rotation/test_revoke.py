"""Revocation: what goes, what is written again, and which request ends which credential."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pulumi_facts.expiry import ENDS, is_credential
from tests import factories
from tests.plans import plan_of
from tests.rotation.states import ACCOUNT, READER, ROBOT, SECRET, TOKEN, resource, tenant, urn
from usine.clients import Connections
from usine.rotation.revoke import REVOCABLE, credentials_of, delete, plan_revocation

MADE = "2026-06-01T08:00:00Z"
ALPHA = tenant("alpha", {"1": MADE}, "1")
OTHERS = tenant("beta", {"1": MADE}, "1")
RIGHTS = resource("pulumi-python:dynamic/sonarqube:ProjectPermissions", "alpha/sonarqube/api/permissions", MADE)
RIGHTS["dependencies"] = [urn(ACCOUNT, "alpha/sonarqube/account/1")]
STATE = [*ALPHA, *OTHERS, RIGHTS]


def test_the_credentials_of_a_tenant_have_their_names_without_it() -> None:
    assert set(credentials_of("alpha", STATE)) == {"harbor/robot/push-1", "sonarqube/api/token/1"}
    assert credentials_of("alph", STATE) == {}
    assert credentials_of("alpha", [{**one, "delete": True} for one in STATE]) == {}


def test_a_robot_is_made_again_and_written_where_it_is_handed_out_and_nothing_else() -> None:
    robot = credentials_of("alpha", STATE)["harbor/robot/push-1"]
    plan = plan_revocation([robot, robot], STATE)
    assert plan.objects == (robot,)
    assert plan.targets == (urn(ROBOT, "alpha/harbor/robot/push-1"), urn(SECRET, "alpha/secret/push"))


def test_a_leaked_analysis_token_ends_its_whole_account() -> None:
    token = credentials_of("alpha", STATE)["sonarqube/api/token/1"]
    plan = plan_revocation([token], STATE)
    assert [one["urn"] for one in plan.objects] == [urn(ACCOUNT, "alpha/sonarqube/account/1")]
    assert set(plan.targets) == {
        urn(ACCOUNT, "alpha/sonarqube/account/1"), urn(TOKEN, "alpha/sonarqube/api/token/1"),
        urn(SECRET, "alpha/secret/quality"), RIGHTS["urn"],
    }  # fmt: skip


class Client:
    """Records the requests of one system."""

    def __init__(self, log: list[str], system: str, active: tuple[dict[str, Any], ...] = ()) -> None:
        self.log, self.system, self.active = log, system, active

    def delete(self, path: str) -> None:
        self.log.append(f"{self.system} DELETE {path}")

    def pages(self, path: str, **query: str) -> tuple[dict[str, Any], ...]:
        assert query["state"] == "active", path
        return self.active

    def v2(self, method: str, path: str) -> None:
        self.log.append(f"{self.system} {method} {path}")

    def post(self, path: str, **form: str) -> None:
        self.log.append(f"{self.system} POST {path} {form['login']} {form['name']}")


class FakeConnections:
    def __init__(self) -> None:
        self.log: list[str] = []

    def gitlab(self) -> Client:
        tokens = ({"id": 7, "name": "usine-mirror"}, {"id": 8, "name": "another"}, {"id": 9, "name": "usine-mirror"})
        return Client(self.log, "gitlab", tokens)

    def harbor(self) -> Client:
        return Client(self.log, "harbor")

    def sonarqube(self) -> Client:
        return Client(self.log, "sonarqube")


_PROJECT = "gitlab:index/projectDeployToken:ProjectDeployToken"
_ACCESS = "gitlab:index/projectAccessToken:ProjectAccessToken"


@pytest.mark.parametrize(
    ("type_", "id_", "requests"),
    [
        (ROBOT, "/robots/3", ["harbor DELETE robots/3"]),
        (_PROJECT, "12:5", ["gitlab DELETE projects/12/deploy_tokens/5"]),
        (READER, "4:5", ["gitlab DELETE groups/4/deploy_tokens/5"]),
        (_ACCESS, "12:1", [f"gitlab DELETE projects/12/access_tokens/{number}" for number in (7, 9)]),
        (ACCOUNT, "u-1", ["sonarqube DELETE /users-management/users/u-1"]),
        (TOKEN, "usine.alpha.1/api x", ["sonarqube POST /api/user_tokens/revoke usine.alpha.1 api x"]),
    ],
)
def test_each_kind_ends_by_the_request_of_its_system(type_: str, id_: str, requests: list[str]) -> None:
    connections = FakeConnections()
    one = {**resource(type_, "alpha/x/y", MADE, name="usine-mirror"), "id": id_}
    delete(one, cast("Connections", connections))
    assert connections.log == requests


def test_every_kind_of_credential_that_a_tenant_has_can_be_revoked() -> None:
    made = {r.type for r in plan_of(factories.tenant(), settings=factories.settings()).resources}
    tenants = {type_ for type_ in made & set(ENDS) if is_credential({"type": type_, "inputs": {}})}
    assert tenants >= {ROBOT, TOKEN, _PROJECT}
    assert tenants - {"gitlab:index/userRunner:UserRunner"} <= REVOCABLE
    assert REVOCABLE - {ACCOUNT} <= set(ENDS)
