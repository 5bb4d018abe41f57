"""Robots, retention, immutable tags, webhooks, scanners, schedules and the configuration."""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from harborapi.models import RobotCreate

from lab.standins.harbor import cron, selectors
from lab.testing.names import name
from lab.tests.standins.harbor.conftest import LiveHarbor, live_harbor, make_project, refused, robot_body, run

Make = Callable[..., tuple[int, str]]
PULL = ("repository", "pull")


# -- robots ------------------------------------------------------------------------------------------------------------


def test_life_of_a_robot(live: LiveHarbor, api: httpx.Client, project: Make) -> None:
    number, called = project()
    client, body = live.client(), robot_body(called, PULL)

    async def life() -> None:
        made = await client.create_robot(RobotCreate(**body))
        assert made.name == f"robot${called}+{body['name']}"
        assert made.secret
        robot = await client.get_robot(made.id or 0)
        assert robot.secret is None
        assert robot.level == "project"
        (listed,) = await client.get_robots(query=f"Level=project,ProjectID={number}")
        assert listed.id == made.id
        await client.delete_robot(made.id or 0)

    run(life())
    assert api.get("/robots", params={"q": f"Level=project,ProjectID={number}"}).json() == []


def test_expiry_of_a_robot(api: httpx.Client, project: Make) -> None:
    _, called = project()
    made = api.post("/robots", json=robot_body(called, PULL, duration=10)).json()
    created = datetime.datetime.fromisoformat(made["creation_time"]).timestamp()
    assert made["expires_at"] == int(created) + 10 * 86400
    at = f"/robots/{made['id']}"
    body = {**robot_body(called, PULL), "name": made["name"], "duration": 20}
    assert api.put(at, json=body).status_code == 200
    assert api.get(at).json()["expires_at"] == int(created) + 20 * 86400  # counted from its creation
    assert api.put(at, json={**body, "duration": -1}).status_code == 200
    assert api.get(at).json()["expires_at"] == -1


def test_an_expired_robot_is_anonymous(live: LiveHarbor, api: httpx.Client, project: Make) -> None:
    _, called = project()
    made = api.post("/robots", json=robot_body(called, ("project", "read"))).json()
    with live.http(made["name"], made["secret"]) as robot:
        assert robot.get(f"/projects/{called}").status_code == 200
        with sqlite3.connect(live.data / "harbor.sqlite") as database:
            change = "UPDATE document SET body = json_set(body, '$.expires_at', 1) WHERE kind = 'robot' AND id = ?"
            database.execute(change, (made["id"],))
        database.close()
        refused(robot.get(f"/projects/{called}"), 401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"name": "Upper"}, 400, "robot name is not in lower case"),
        ({"name": "a+b"}, 400, "robot name is not in lower case"),
        ({"duration": 0}, 400, "duration must be either -1(Never) or a positive integer"),
        ({"level": "galaxy"}, 400, "bad request error level input: galaxy"),
        ({"permissions": []}, 400, "bad request empty permission"),
        ({"permissions": [{"kind": "project", "namespace": "x", "access": []}]}, 400, "bad request empty access"),
    ],
)
def test_invalid_robots_are_refused(
    api: httpx.Client, project: Make, change: dict[str, Any], status: int, text: str
) -> None:
    _, called = project()
    refused(api.post("/robots", json={**robot_body(called, PULL), **change}), status, "BAD_REQUEST", text)


def test_robots_get_permissions_only_for_existing_projects(api: httpx.Client, project: Make) -> None:
    _, called = project()
    refused(api.post("/robots", json=robot_body(called, ("repository", "fly"))), 400, "BAD_REQUEST", "repository:fly")
    refused(api.post("/robots", json=robot_body("nothing", PULL)), 404, "NOT_FOUND", "project nothing not found")
    body = robot_body(called, PULL)
    assert api.post("/robots", json=body).status_code == 201
    refused(api.post("/robots", json=body), 409, "CONFLICT")
    refused(api.get("/robots", params={"q": "Level=project"}), 400, "BAD_REQUEST", "must with project ID")


def test_a_robots_secret_satisfies_the_rule_and_is_shown_once(
    live: LiveHarbor, api: httpx.Client, project: Make
) -> None:
    _, called = project()
    made = api.post("/robots", json=robot_body(called, ("project", "read"))).json()
    at = f"/robots/{made['id']}"
    refused(api.patch(at, json={"secret": "short"}), 400, "BAD_REQUEST", "8-128, inclusively, characters long")
    refused(api.patch(at, json={"secret": "nodigits-NODIGITS"}), 400, "BAD_REQUEST")
    assert api.patch(at, json={"secret": "Chosen-secret-1"}).json() == {}
    with live.http(made["name"], "Chosen-secret-1") as robot:
        assert robot.get(f"/projects/{called}").status_code == 200
        refused(robot.get("/users/current"), 412, "PRECONDITION")
    stored = (live.data / "harbor.sqlite").read_bytes() + (live.data / "harbor.sqlite-wal").read_bytes()
    assert b"Chosen-secret-1" not in stored
    assert made["secret"].encode() not in stored
    assert "secret" not in api.get(at).json()


def test_a_system_robot(live: LiveHarbor, api: httpx.Client, project: Make) -> None:
    _, called = project()
    everywhere = {"kind": "project", "namespace": "*", "access": [{"resource": "project", "action": "read"}]}
    system = {"kind": "system", "namespace": "/", "access": [{"resource": "project", "action": "create"}]}
    body = {"name": name("s"), "level": "system", "duration": -1, "permissions": [everywhere, system]}
    made = api.post("/robots", json=body).json()
    assert made["name"] == f"robot${body['name']}"
    with live.http(made["name"], made["secret"]) as robot:
        assert robot.get(f"/projects/{called}").status_code == 200
        assert robot.post("/projects", json={"project_name": name("p")}).status_code == 201
        refused(robot.delete(f"/projects/{called}"), 403, "FORBIDDEN")
        refused(robot.get("/quotas"), 403, "FORBIDDEN")
    assert made["id"] in [item["id"] for item in api.get("/robots", params={"page_size": 100}).json()]


def test_robots_are_deleted_with_their_project(api: httpx.Client, project: Make) -> None:
    number, called = project()
    made = api.post("/robots", json=robot_body(called, PULL)).json()
    assert api.delete(f"/projects/{number}").status_code == 200
    refused(api.get(f"/robots/{made['id']}"), 404, "NOT_FOUND")


# -- policies ----------------------------------------------------------------------------------------------------------


def retention(number: int, **more: Any) -> dict[str, Any]:
    rule = {
        "disabled": False, "action": "retain", "template": "nDaysSinceLastPush", "params": {"nDaysSinceLastPush": 7},
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "**", "extras": ""}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
    }  # fmt: skip
    trigger = {"kind": "Schedule", "references": {}, "settings": {"cron": "0 0 0 * * *"}}
    scope = {"level": "project", "ref": number}
    return {"algorithm": "or", "rules": [rule], "trigger": trigger, "scope": scope, **more}


def test_retention(api: httpx.Client, project: Make) -> None:
    number, _ = project()
    body = retention(number)
    made = api.post("/retentions", json=body)
    at = made.headers["Location"].removeprefix("/api/v2.0")
    assert api.get(f"/projects/{number}").json()["metadata"]["retention_id"] == at.rpartition("/")[2]
    refused(api.post("/retentions", json=body), 400, "BAD_REQUEST", "already has retention policy")
    found = api.get(at).json()
    assert found["rules"][0]["params"] == {"nDaysSinceLastPush": 7}
    assert found["scope"] == {"level": "project", "ref": number}
    assert api.put(at, json=retention(number, rules=[])).status_code == 200
    doubled = retention(number, rules=body["rules"] * 2)
    refused(api.put(at, json=doubled), 409, "CONFLICT", "rule 1 is conflict with rule 0")
    sixteen = retention(number, rules=[{**body["rules"][0], "priority": i} for i in range(16)])
    refused(api.put(at, json=sixteen), 400, "BAD_REQUEST", "only 15 rules are allowed at most")
    hourly = {"kind": "Schedule", "settings": {"cron": "hourly"}}
    refused(api.put(at, json=retention(number, trigger=hourly)), 400, "BAD_REQUEST", "invalid cron string")
    refused(api.post("/retentions", json=retention(99999)), 400, "BAD_REQUEST", "invalid Project id 99999")
    assert api.delete(at).status_code == 200
    # As in goharbor/harbor#18198: a deleted policy is an error, and the project accepts no other until its id is
    # deleted.
    refused(api.get(at), 500, "UNKNOWN", "internal server error")
    refused(api.put(at, json=body), 500, "UNKNOWN", "internal server error")
    refused(api.delete(at), 400, "BAD_REQUEST", "no such Retention policy with id")
    refused(api.post("/retentions", json=body), 400, "BAD_REQUEST", "already has retention policy")
    assert api.delete(f"/projects/{number}/metadatas/retention_id").status_code == 200
    refused(api.put(at, json=body), 404, "NOT_FOUND", "does not match")
    assert api.post("/retentions", json=body).status_code == 201


def test_immutable_rules(api: httpx.Client, project: Make) -> None:
    number, _ = project()
    rule = {
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "v*"}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
        "action": "immutable", "template": "immutable_template", "disabled": True,
    }  # fmt: skip
    at = f"/projects/{number}/immutabletagrules"
    made = api.post(at, json=rule)
    id_ = int(made.headers["Location"].rpartition("/")[2])
    (found,) = api.get(at).json()
    assert "disabled" not in found  # a new one is always enabled
    assert found["tag_selectors"] == rule["tag_selectors"]
    refused(api.post(at, json=rule), 409, "CONFLICT")
    refused(api.put(f"{at}/{id_}", json=rule), 400, "BAD_REQUEST", "doesn't match the id")
    assert api.put(f"{at}/{id_}", json={**rule, "id": id_}).status_code == 200
    assert api.get(at).json()[0]["disabled"] is True
    assert api.delete(f"{at}/{id_}").status_code == 200
    refused(api.delete(f"{at}/{id_}"), 404, "NOT_FOUND")
    assert (
        api.post(at, json={**rule, "scope_selectors": {}}).status_code == 201
    )  # a rule without scope selectors is accepted


@pytest.mark.parametrize(
    ("pattern", "text", "matched"),
    [
        ("**", "a/b", True), ("*", "a/b", False), ("v*", "v1.2", True), ("{v,w}1", "w1", True), ("v?", "v12", False),
        ("a/**", "a/b/c", True), ("**/app", "app", True), ("[ab]c", "bc", True), ("[^ab]c", "bc", False),
        ("", "x", True),
    ],
)  # fmt: skip
def test_patterns(pattern: str, text: str, matched: bool) -> None:
    assert selectors.match(pattern, text) is matched


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("0 0 0 * * *", True), ("0 */5 * * * 1-5", True), ("0 0 0 * * 0", True), ("0 0 2 * * MON", True),
        ("5 0 0 * * *", False), ("0 0 0 * *", False), ("0 61 0 * * *", False), ("", False), ("daily", False),
    ],
)  # fmt: skip
def test_cron_texts(text: str, good: bool) -> None:
    assert (cron.problem(text) is None) is good


def test_webhook_policies(api: httpx.Client, project: Make) -> None:
    number, _ = project()
    at = f"/projects/{number}/webhook/policies"
    target = {"type": "http", "address": "http://example.com/hook?token=1", "skip_cert_verify": True}
    body = {"name": "w", "enabled": True, "event_types": ["PUSH_ARTIFACT"], "targets": [target]}
    made = api.post(at, json=body)
    policy = api.get(made.headers["Location"].removeprefix("/api/v2.0")).json()
    assert policy["targets"] == [
        {"type": "http", "address": "http://example.com/hook", "skip_cert_verify": True, "payload_format": "Default"}
    ]
    refused(api.post(at, json=body), 409, "CONFLICT")
    refused(api.post(at, json={**body, "event_types": ["X"]}), 400, "BAD_REQUEST", "unsupported event type X")
    refused(api.post(at, json={**body, "targets": []}), 400, "BAD_REQUEST", "empty notification target")
    bad = {**target, "type": "pigeon"}
    refused(api.post(at, json={**body, "targets": [bad]}), 400, "BAD_REQUEST", "unsupported target type pigeon")
    assert api.put(f"{at}/{policy['id']}", json={**body, "enabled": False}).status_code == 200
    (changed,) = api.get(at).json()
    assert (changed["enabled"], changed["event_types"]) == (False, ["PUSH_ARTIFACT"])
    other, _ = make_project(api)
    refused(api.get(f"/projects/{other}/webhook/policies/{policy['id']}"), 404, "NOT_FOUND")
    assert api.delete(f"{at}/{policy['id']}").status_code == 200


# -- the system --------------------------------------------------------------------------------------------------------


def test_scanners(api: httpx.Client) -> None:
    (trivy,) = api.get("/scanners").json()
    assert (trivy["name"], trivy["is_default"]) == ("Trivy", True)
    assert api.patch(f"/scanners/{trivy['uuid']}", json={"is_default": True}).status_code == 200
    refused(api.patch("/scanners/nothing", json={"is_default": True}), 404, "NOT_FOUND")


@pytest.mark.parametrize("at", ["/system/gc/schedule", "/system/scanAll/schedule"])
def test_schedules(api: httpx.Client, at: str) -> None:
    daily = {"schedule": {"type": "Daily", "cron": "0 0 0 * * *"}, "parameters": {"workers": 2}}
    assert api.post(at, json=daily).status_code == 201
    assert api.get(at).json()["schedule"]["type"] == "Daily"
    custom = {"schedule": {"type": "Custom", "cron": "0 0 3 * * 1"}}
    assert api.put(at, json=custom).status_code == 200
    assert api.get(at).json()["schedule"]["cron"] == "0 0 3 * * 1"
    bad = {"schedule": {"type": "Custom", "cron": "1 0 3 * * 1"}}
    refused(api.put(at, json=bad), 400, "BAD_REQUEST", "the 1st field (indicating Seconds of time)")
    assert api.put(at, json={"schedule": {"type": "None"}}).status_code == 200
    assert api.get(at).content == b""


def test_the_configuration(tmp_path: Path) -> None:
    with live_harbor(tmp_path) as live, live.http() as api:
        at = "/configurations"
        assert api.get(at).json()["auth_mode"] == {"value": "db_auth", "editable": True}
        change = {"oidc_client_secret": "marker-hidden", "robot_name_prefix": "bot+", "nonsense": 1}
        assert api.put(at, json=change).status_code == 200
        shown = api.get(at)
        assert "marker-hidden" not in shown.text
        assert "oidc_client_secret" not in shown.json()
        assert shown.json()["robot_name_prefix"]["value"] == "bot+"
        for bad in ({"read_only": "yes"}, {"token_expiration": 0}, {"auth_mode": "magic"}, {"robot_name_prefix": ""},
                    {"skip_audit_log_database": True}, {"storage_per_project": -7}):  # fmt: skip
            refused(api.put(at, json=bad), 400, "BAD_REQUEST")
        _, called = make_project(api)
        assert api.post("/robots", json=robot_body(called, PULL)).json()["name"].startswith(f"bot+{called}+")
        body = {"username": "u", "email": "u@example.com", "realname": "U", "password": "Passw0rd-1"}
        assert api.post("/users", json=body).status_code == 201
        refused(api.put(at, json={"auth_mode": "oidc_auth"}), 400, "BAD_REQUEST", "auth mode cannot be modified")
        assert api.get(at).json()["auth_mode"]["editable"] is False
        assert api.put(at, json={"project_creation_restriction": "adminonly"}).status_code == 200
        with live.http("u", "Passw0rd-1") as person:
            refused(person.post("/projects", json={"project_name": "x"}), 403, "FORBIDDEN", "Only system admin")
        database = b"".join(path.read_bytes() for path in tmp_path.glob("harbor.sqlite*"))
        assert b"marker-hidden" not in database
        assert b"Passw0rd-1" not in database


def test_public_endpoints(live: LiveHarbor) -> None:
    with live.http(None) as anonymous:
        assert anonymous.get("/ping").text == "Pong"
        refused(anonymous.get("/users/current"), 401, "UNAUTHORIZED")


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    with live_harbor(tmp_path) as live, live.http() as api:
        number, called = make_project(api, storage_limit=5000)
        made = api.post("/robots", json=robot_body(called, ("project", "read"))).json()
        api.post("/retentions", json=retention(number))
    with live_harbor(tmp_path) as live, live.http() as api, live.http(made["name"], made["secret"]) as robot:
        assert robot.get(f"/projects/{called}").json()["metadata"]["retention_id"] == "1"
        assert api.get("/quotas", params={"reference_id": str(number)}).json()[0]["hard"] == {"storage": 5000}
        again, _ = make_project(api)
        assert again > number
