"""Accounts that the platform does not create: existing ones are looked up, missing ones are left out and reported."""

from __future__ import annotations

from typing import Any, cast

import pulumi
import pytest

from model.settings import FoundationMode, GitLabSettings, KeycloakSettings, PeopleSource
from tests import factories
from tests.components.test_forge import of
from tests.plans import plan_of
from usine.plan import Plan, make_plan
from usine.plan.monitor import _Answers


@pytest.mark.parametrize("foundation", [FoundationMode.INCLUDE, FoundationMode.SKIP])
def test_accounts_of_a_directory_are_looked_up(foundation: FoundationMode) -> None:
    settings = factories.settings(
        gitlab=GitLabSettings(people=PeopleSource.DIRECTORY), foundation=foundation, tenants=("teleservice",)
    )
    plan = plan_of(factories.tenant(), settings=settings)
    assert of(plan, "User", "foundation/gitlab/account/") == []
    assert {r.inputs["userId"] for r in of(plan, "GroupMembership")} >= {"[id of alice.martin]"}


def without(*missing: str, twice: str = "") -> Any:
    """Return an answer function that does not know `missing` people, and has two accounts for `twice`."""
    answer = _Answers.call

    def call(self: Any, args: Any) -> Any:
        person = args.args.get("externUid") or args.args.get("username")
        if person in missing and args.token == "gitlab:index/getUsers:getUsers":
            return {**args.args, "users": []}, []
        if person in missing:
            return {}, [("username", f"user with username {person} not found")]
        found, failures = answer(self, args)
        if person == twice and "users" in found:
            found["users"] *= 2
        return found, failures

    return call


DIRECTORY = PeopleSource.DIRECTORY


def of_a_directory(**changes: Any) -> Plan:
    settings = factories.settings(
        gitlab=GitLabSettings(people=DIRECTORY), keycloak=KeycloakSettings("usine", DIRECTORY), **changes
    )
    return make_plan(settings, [factories.tenant()])


@pytest.mark.parametrize("foundation", [FoundationMode.INCLUDE, FoundationMode.SKIP])
def test_people_without_an_account_are_left_out_and_reported(
    foundation: FoundationMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", warned.append)
    monkeypatch.setattr(_Answers, "call", without("emma.leroy", "bob.durand"))
    plan = of_a_directory(foundation=foundation, tenants=("teleservice",))
    members = {r.name.rpartition("/")[2] for r in of(plan, "GroupMembership", "teleservice/gitlab/")}
    assert members == {"alice.martin", "chloe.petit", "farid.benali", "gaelle.morin"}
    listed = {person for r in of(plan, "GroupMemberships") for person in cast("list[str]", r.inputs["members"])}
    assert listed == members
    assert warned == [
        f"pending in {system}: bob.durand, emma.leroy; no account yet, so no rights there until the first run "
        "after they have logged in"
        for system in ("keycloak", "gitlab")
    ]


def test_an_identity_with_two_accounts_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Answers, "call", without(twice="emma.leroy"))
    with pytest.raises(pulumi.RunError, match=r"GitLab has 2 accounts with the identity openid_connect/emma\.leroy"):
        of_a_directory()


@pytest.mark.parametrize(
    "message",
    ["connection refused", "404 Not Found", "error sending GET request to /admin/realms/usine/users: 404 Not Found."],
)
@pytest.mark.parametrize("function", ["keycloak:index/getUser:getUser", "gitlab:index/getUsers:getUsers"])
def test_a_system_that_cannot_be_asked_ends_the_run(
    function: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the address or of a proxy must not remove anybody's rights."""
    answer = _Answers.call

    def down(self: Any, args: Any) -> Any:
        return ({}, [("", message)]) if args.token == function else answer(self, args)

    monkeypatch.setattr(_Answers, "call", down)
    with pytest.raises(Exception, match=message):
        of_a_directory()


def test_a_missing_realm_has_no_people(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, missing = _Answers.call, '404 Not Found. Response body: {"error":"Realm not found."}'

    def first(self: Any, args: Any) -> Any:
        return ({}, [("", missing)]) if args.token.startswith("keycloak:") else answer(self, args)

    monkeypatch.setattr(_Answers, "call", first)
    plan = of_a_directory()
    assert all(r.inputs["members"] == [] for r in of(plan, "GroupMemberships"))


@pytest.mark.parametrize("people", list(PeopleSource))
def test_a_level_below_the_one_in_the_root_group_is_left_out_and_reported(
    people: PeopleSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitLab refuses it (issue 11.B11). An account of the directory is identified by its id, not by its name."""
    warned: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", lambda text, _resource: warned.append(text))
    answer = _Answers.call
    ids = {"alice.martin": 11, "emma.leroy": 12}
    root = [(11, "alice.martin", "maintainer"), (12, "emma.leroy", "owner"), (13, "root", "owner")]
    named = people is PeopleSource.MANAGED

    def call(self: Any, args: Any) -> Any:
        if args.token.endswith(":getGroupMembership"):
            members = [
                {"id": id_, "username": name if named else f"renamed-{id_}", "accessLevel": level}
                for id_, name, level in root
            ]
            return {**args.args, "members": members}, []
        if args.token.endswith(":getUsers"):
            return {**args.args, "users": [{"id": ids.get(args.args["externUid"], 1)}]}, []
        return answer(self, args)

    monkeypatch.setattr(_Answers, "call", call)
    plan = make_plan(
        factories.settings(gitlab=GitLabSettings(people=people, email_domain="example.org")), [factories.tenant()]
    )
    members = {r.name.rpartition("/")[2] for r in of(plan, "GroupMembership", "teleservice/gitlab/")}
    assert "emma.leroy" not in members
    assert "alice.martin" in members
    assert [text.partition(", so")[0] for text in warned] == [
        "pending in gitlab: emma.leroy is owner of the group tenants"
    ]
