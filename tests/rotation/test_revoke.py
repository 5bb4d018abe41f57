"""Revocation: what goes, what is written again, and which request ends which credential."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest

from model.settings import RunnerSettings
from pulumi_facts.expiry import ENDS, is_credential
from tests import factories
from tests.plans import plan_of
from tests.rotation.states import ACCOUNT, CLIENT, READER, ROBOT, RUNNER, SECRET, TOKEN, resource, tenant, urn
from usine.clients import Connections
from usine.rotation.revoke import REVOCABLE, credentials_of, delete, plan_revocation

MADE = "2026-06-01T08:00:00Z"
ALPHA = tenant("alpha", {"1": MADE}, "1")
OTHERS = tenant("beta", {"1": MADE}, "1")
RIGHTS = resource("pulumi-python:dynamic/sonarqube:ProjectPermissions", "alpha/sonarqube/api/permissions", MADE)
RIGHTS["dependencies"] = [urn(ACCOUNT, "alpha/sonarqube/account/1")]
STATE = [*ALPHA, *OTHERS, RIGHTS]
_PROJECT_OF_HARBOR = "harbor:index/project:Project"
_LOGIN, _SCOPES = "harbor:index/configAuth:ConfigAuth", "keycloak:openid/clientDefaultScopes:ClientDefaultScopes"


def clients() -> list[dict[str, Any]]:
    """Return the clients of Harbor, which has its secret from the state, and of GitLab, which has it from a person."""
    found = []
    for name in ("harbor", "gitlab"):
        client = resource(CLIENT, f"foundation/keycloak/client/{name}", MADE, accessType="CONFIDENTIAL")
        found += [client, resource(_SCOPES, f"foundation/keycloak/client/{name}/scopes", MADE, [client["urn"]])]
    login = resource(_LOGIN, "foundation/harbor/login", MADE)
    login["propertyDependencies"] = {"oidcClientSecret": [found[0]["urn"]]}
    public = resource(CLIENT, "foundation/keycloak/client/argocd", MADE, accessType="PUBLIC")
    project = resource(_PROJECT_OF_HARBOR, "alpha/harbor/project", MADE, [login["urn"]])
    return [*found, login, public, project]


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


def test_the_foundation_has_credentials_of_its_own_and_a_public_client_is_none() -> None:
    state = [*STATE, *clients()]
    assert set(credentials_of(None, state)) == {"keycloak/client/harbor", "keycloak/client/gitlab"}
    assert credentials_of("foundation", state) == {}
    assert set(credentials_of("alpha", state)) == {"harbor/robot/push-1", "sonarqube/api/token/1"}


def test_a_client_stays_and_its_secret_is_written_where_it_is_used() -> None:
    state = [*STATE, *clients()]
    known = credentials_of(None, state)
    plan = plan_revocation([known["keycloak/client/harbor"]], state)
    assert plan.objects == (known["keycloak/client/harbor"],)
    assert urn(_LOGIN, "foundation/harbor/login") in plan.targets
    assert not [target for target in plan.targets if "gitlab" in target]
    assert urn(_PROJECT_OF_HARBOR, "alpha/harbor/project") not in plan.targets, "nothing changes for tenants"
    assert plan.by_hand == ()
    # GitLab reads the secret from a file that no program here writes.
    assert plan_revocation([known["keycloak/client/gitlab"]], state).by_hand == (known["keycloak/client/gitlab"],)


class Client:
    """Records the requests of one system."""

    def __init__(self, log: list[str], system: str, active: tuple[dict[str, Any], ...] = ()) -> None:
        self.log, self.system, self.active = log, system, active

    def delete(self, path: str) -> None:
        self.log.append(f"{self.system} DELETE {path}")

    def request(self, method: str, path: str) -> None:
        self.log.append(f"{self.system} {method} {path}")

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

    def keycloak(self) -> Client:
        return Client(self.log, "keycloak")

    def sonarqube(self) -> Client:
        return Client(self.log, "sonarqube")


_CLIENT_REQUESTS = ("POST usine/clients/u-2/client-secret", "DELETE usine/clients/u-2/client-secret/rotated")
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
        (RUNNER, "31", ["gitlab DELETE runners/31"]),
        (CLIENT, "u-2", [f"keycloak {request}" for request in _CLIENT_REQUESTS]),
        (TOKEN, "usine.alpha.1/api x", ["sonarqube POST /api/user_tokens/revoke usine.alpha.1 api x"]),
    ],
)
def test_each_kind_ends_by_the_request_of_its_system(type_: str, id_: str, requests: list[str]) -> None:
    connections = FakeConnections()
    one = {**resource(type_, "alpha/x/y", MADE, name="usine-mirror", realmId="usine"), "id": id_}
    delete(one, cast("Connections", connections))
    assert connections.log == requests


def test_every_kind_of_credential_can_be_revoked() -> None:
    base = factories.settings()
    forge = dataclasses.replace(base.gitlab, runners=RunnerSettings(timeout=3600))
    made = plan_of(factories.tenant(), settings=dataclasses.replace(base, gitlab=forge)).resources
    stored = {one.type for one in made if is_credential({"type": one.type, "inputs": one.inputs})}
    assert stored >= {ROBOT, TOKEN, CLIENT, RUNNER, _PROJECT}
    assert stored <= REVOCABLE
    assert REVOCABLE - {ACCOUNT} <= set(ENDS)
