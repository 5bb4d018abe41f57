"""People of a directory: a person who has not logged in yet is left out and reported, and added by a later run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.testing.platforms import TestLab
from tests.engine import live
from tests.engine.harness import Stack

pytestmark = pytest.mark.servers

PEOPLE = ("owner.first", "developer.second")
TENANT = """
    owner: owner.first
    contact: team@example.gouv.fr
    members: {developer: [developer.second]}
    repositories:
      api: {kind: app}
    """


@pytest.fixture
def stack(lab: TestLab, tmp_path: Path) -> Iterator[Stack]:
    """A platform of Keycloak and GitLab that creates no accounts."""
    stack = Stack(lab, "directory", tmp_path / "stack")
    settings = stack.settings()
    stack.configure(
        systems=["keycloak", "gitlab"],
        keycloak={**settings["usine:keycloak"], "people": "directory"},
        gitlab={**settings["usine:gitlab"], "people": "directory"},
    )
    stack.tenant("people", TENANT)
    yield stack
    stack.close()
    for person in PEOPLE:
        for account in lab.gitlab.get("/users", params={"username": f"{person}-of-gitlab"}).json():
            lab.gitlab.delete(f"/users/{account['id']}", params={"hard_delete": "true"}).raise_for_status()


def log_in(lab: TestLab, person: str) -> None:
    """Do what a first log-in does: create the account in Keycloak, and GitLab's account with that identity."""
    lab.keycloak.connection.realm_name = live.REALM
    try:
        lab.keycloak.create_user({"username": person, "enabled": True})
    finally:
        lab.keycloak.connection.realm_name = "master"
    body = {
        **{"username": f"{person}-of-gitlab", "name": person, "email": f"{person}@example.org"},
        **{"force_random_password": True, "provider": "openid_connect", "extern_uid": person},
    }
    lab.gitlab.post("/users", json=body).raise_for_status()


def members(lab: TestLab) -> set[str]:
    group = lab.gitlab.get("/groups/tenants%2Fpeople").json()["id"]
    return {one["username"] for one in lab.gitlab.get(f"/groups/{group}/members").json()} - {"root"}


def test_a_person_who_has_never_logged_in_is_left_out_and_added_by_a_later_run(stack: Stack) -> None:
    """The first run creates the log-in, so it cannot wait for people to log in (issue 11.B2)."""
    first = stack.usine("up").must()
    for system in ("keycloak", "gitlab"):
        assert f"pending in {system}: developer.second, owner.first; no account yet" in first.output
    assert members(stack.lab) == set()
    log_in(stack.lab, "developer.second")
    second = stack.usine("up").must()
    assert "pending in gitlab: owner.first; no account yet" in second.output
    assert members(stack.lab) == {"developer.second-of-gitlab"}
    log_in(stack.lab, "owner.first")
    # GitLab refuses a level below an inherited one. This must not end the run (issue 11.B11).
    found = stack.lab.gitlab.get("/users", params={"username": "owner.first-of-gitlab"}).json()[0]["id"]
    stack.lab.gitlab.post("/groups/tenants/members", json={"user_id": found, "access_level": 50}).raise_for_status()
    third = stack.usine("up").must()
    assert "pending in gitlab: owner.first is owner of the group tenants" in third.output
    assert members(stack.lab) == {"developer.second-of-gitlab"}
    stack.lab.gitlab.delete(f"/groups/tenants/members/{found}").raise_for_status()
    assert "pending" not in stack.usine("up").must().output
    assert members(stack.lab) == {f"{person}-of-gitlab" for person in PEOPLE}
    assert stack.up().must().ops() == {}
    assert stack.drift().must().ops() == {}
