"""Projects, quotas, members and labels; lists, errors and sessions."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from harborapi.exceptions import Conflict, NotFound
from harborapi.models import ProjectMetadata, ProjectReq

from lab.testing.names import name
from lab.tests.standins.harbor.conftest import LiveHarbor, make_project, refused, run

Make = Callable[..., tuple[int, str]]


def test_life_of_a_project(live: LiveHarbor) -> None:
    client, called = live.client(), name("p")

    async def life() -> None:
        await client.create_project(ProjectReq(project_name=called, metadata=ProjectMetadata(public="false")))
        found = await client.get_project(called)
        assert found.name == called
        assert found.metadata is not None
        assert found.metadata.public == "false"
        with pytest.raises(Conflict):
            await client.create_project(ProjectReq(project_name=called))
        await client.update_project(called, ProjectReq(metadata=ProjectMetadata(severity="high", prevent_vul="true")))
        changed = await client.get_project(called)
        assert changed.metadata is not None
        assert (changed.metadata.severity, changed.metadata.public) == ("high", "false")
        await client.delete_project(called)
        with pytest.raises(NotFound):
            await client.get_project(called)

    run(life())


def test_locations_of_created_objects(api: httpx.Client) -> None:
    called = name("p")
    made = api.post("/projects", json={"project_name": called}, headers={"X-Resource-Name-In-Location": "true"})
    assert made.headers["Location"] == f"/api/v2.0/projects/{called}"
    number = api.get(f"/projects/{called}").json()["project_id"]
    assert api.get(f"/projects/{number}").json()["name"] == called
    refused(api.get(f"/projects/{number}", headers={"X-Is-Resource-Name": "true"}), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "status", "code", "text"),
    [
        ({"project_name": "Upper"}, 400, "BAD_REQUEST", "project name is not in lower case"),
        ({}, 400, "BAD_REQUEST", "illegal in length"),
        ({"project_name": "a", "metadata": {"public": "maybe"}}, 400, "BAD_REQUEST", "metadata.public should only be"),
        ({"project_name": "a", "storage_limit": -5}, 400, "BAD_REQUEST", "invalid non-positive value"),
        ({"project_name": "a", "registry_id": 99999}, 404, "NOT_FOUND", "registry 99999 not found"),
        ({"project_name": "a", "metadata": {"retention_id": "1"}}, 400, "BAD_REQUEST", "retention_id"),
        ({"project_name": 5}, 400, "BAD_REQUEST", "project_name"),
    ],
)
def test_invalid_projects_are_refused(api: httpx.Client, body: object, status: int, code: str, text: str) -> None:
    refused(api.post("/projects", json=body), status, code, text)


def test_malformed_requests_are_refused(api: httpx.Client) -> None:
    refused(api.post("/projects", content=b"{not json"), 400, "BAD_REQUEST")
    refused(api.post("/projects"), 422, "UNPROCESSABLE_ENTITY")
    refused(api.get("/projects", params={"page_size": 101}), 422, "UNPROCESSABLE_ENTITY", "page_size in query")
    refused(api.get("/registries/x"), 422, "UNPROCESSABLE_ENTITY", "id in path")
    refused(api.get("/nothing/here"), 404, "NOT_FOUND")
    refused(api.delete("/projects"), 405, "METHOD_NOT_ALLOWED")


def test_settings_are_merged_and_the_allowlist_replaced(api: httpx.Client, project: Make) -> None:
    number, _ = project(metadata={"public": "true", "auto_scan": "true", "proxy_speed_kb": "5"})
    at = f"/projects/{number}"
    assert api.get(at).json()["metadata"] == {"public": "true", "auto_scan": "true"}  # it is not a proxy cache
    body = {"metadata": {"auto_scan": "false"}, "cve_allowlist": {"items": [{"cve_id": "CVE-1"}]}}
    assert api.put(at, json=body).status_code == 200
    found = api.get(at).json()
    assert found["metadata"] == {"public": "true", "auto_scan": "false"}
    assert found["cve_allowlist"]["items"] == [{"cve_id": "CVE-1"}]
    assert api.put(at, json={"cve_allowlist": {}}).status_code == 200
    assert api.get(at).json()["cve_allowlist"]["items"] == []
    refused(api.put(at, json={"metadata": {"retention_id": "77"}}), 400, "BAD_REQUEST", "retention_id")
    refused(api.put(at, json={"cve_allowlist": {"project_id": 1}}), 400, "BAD_REQUEST", f"must be {number}")


def test_pages_link_to_the_others(api: httpx.Client) -> None:
    prefix = name("page")
    for i in range(5):
        assert api.post("/projects", json={"project_name": f"{prefix}-{i}"}).status_code == 201
    seen: list[str] = []
    url: str | None = f"/api/v2.0/projects?page_size=2&q=name=~{prefix}"
    while url:
        answer = api.get(httpx.URL(str(api.base_url)).join(url))
        assert answer.headers["X-Total-Count"] == "5"
        seen += [item["name"] for item in answer.json()]
        url = answer.links["next"]["url"] if "next" in answer.links else None
    assert seen == [f"{prefix}-{i}" for i in range(5)]
    both = api.get("/projects", params={"name": f"{prefix}-3", "q": f"name={prefix}-1"}).json()
    assert [item["name"] for item in both] == [f"{prefix}-3"]
    assert "prev" in answer.links
    assert "Link" not in api.get(f"/projects?page_size=5&q=name=~{prefix}").headers
    assert 'rel="prev" , ' in api.get(f"/projects?page=2&page_size=2&q=name=~{prefix}").headers["Link"]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("name={}", ["a-1", "a-2", "b-1"]),
        ("name=~a-", ["a-1", "a-2"]),
        ("name=P-a-1", []),
        ("project_id=[0~999999999]", ["a-1", "a-2", "b-1"]),
        ("ProjectID=[999999999~]", []),
        ("nonsense=1", ["a-1", "a-2", "b-1"]),
        ("name=~a-,name=~a-2", ["a-2"]),
    ],
)
def test_the_grammar_of_q(api: httpx.Client, q: str, found: list[str]) -> None:
    prefix = name("q")
    names = [f"{prefix}-{suffix}" for suffix in ("a-1", "a-2", "b-1")]
    for called in names:
        assert api.post("/projects", json={"project_name": called}).status_code == 201
    whole = "name={" + " ".join(names) + "}"
    q = whole if q == "name={}" else q.replace("~a-", f"~{prefix}-a-")
    items = [
        item["name"].removeprefix(f"{prefix}-")
        for item in api.get("/projects", params={"q": q, "page_size": 100}).json()
    ]
    assert [item for item in items if f"{prefix}-{item}" in names] == found


@pytest.mark.parametrize("q", ["name", "name=", "=x", "name=~", "id=[1]", "id=[~]", "id={1", "id=(1"])
def test_an_invalid_q_is_refused(api: httpx.Client, q: str) -> None:
    refused(api.get("/projects", params={"q": q}), 400, "BAD_REQUEST")


def test_sort_order(api: httpx.Client, project: Make) -> None:
    numbers = [project()[0] for _ in range(3)]
    found = api.get("/projects", params={"sort": "-project_id", "page_size": 3}).json()
    assert [item["project_id"] for item in found] == numbers[::-1]


def test_quotas(api: httpx.Client, project: Make) -> None:
    number, called = project(storage_limit=1024)
    (quota,) = api.get("/quotas", params={"reference": "project", "reference_id": str(number)}).json()
    assert quota["ref"] == {"id": number, "name": called, "owner_name": "admin"}
    assert (quota["hard"], quota["used"]) == ({"storage": 1024}, {"storage": 0})
    at = f"/quotas/{quota['id']}"
    assert api.put(at, json={"hard": {"storage": -1}}).status_code == 200
    assert hard(api, number) == [{"storage": -1}]
    refused(api.put(at, json={"hard": {"storage": 0}}), 400, "BAD_REQUEST", "invalid non-positive value")
    refused(api.put(at, json={"hard": {"cpu": 1}}), 400, "BAD_REQUEST", "resource cpu not support")
    refused(api.put(at, json={}), 400, "BAD_REQUEST", "hard required in body")
    assert api.delete(f"/projects/{number}").status_code == 200
    assert hard(api, number) == []
    refused(api.put(at, json={"hard": {"storage": 1}}), 404, "NOT_FOUND")


def hard(api: httpx.Client, number: int) -> list[dict[str, int]]:
    """Return the limits of a project."""
    found = api.get("/quotas", params={"reference": "project", "reference_id": str(number)}).json()
    return [quota["hard"] for quota in found]


def test_labels(api: httpx.Client, project: Make) -> None:
    number, _ = project()
    made = api.post("/labels", json={"name": "l", "color": "#fff", "scope": "p", "project_id": number})
    at = made.headers["Location"].removeprefix("/api/v2.0")
    refused(api.post("/labels", json={"name": "l", "scope": "p", "project_id": number}), 409, "CONFLICT")
    refused(api.post("/labels", json={"name": "l", "scope": "x"}), 400, "BAD_REQUEST", "unsupported label scope")
    assert api.put(at, json={"name": "m", "description": "d"}).status_code == 200
    assert [item["name"] for item in api.get("/labels", params={"scope": "p", "project_id": number}).json()] == ["m"]
    refused(api.get("/labels"), 400, "BAD_REQUEST", "invalid scope")
    assert api.delete(at).status_code == 200
    refused(api.get(at), 404, "NOT_FOUND")


def test_anonymous_callers_and_other_users_see_nothing(live: LiveHarbor, api: httpx.Client, project: Make) -> None:
    number, called = project()
    person = name("u")
    body = {"username": person, "email": f"{person}@example.com", "realname": "U", "password": "Passw0rd-1"}
    assert api.post("/users", json=body).status_code == 201
    with live.http(None) as anonymous, live.http(person, "Passw0rd-1") as stranger:
        for which in (number, called, 99999, "nothing"):
            refused(anonymous.get(f"/projects/{which}"), 401, "UNAUTHORIZED")
            refused(stranger.get(f"/projects/{which}"), 403, "FORBIDDEN")
        assert called not in [item["name"] for item in stranger.get("/projects", params={"page_size": 100}).json()]
        refused(stranger.get("/quotas"), 403, "FORBIDDEN")
        refused(anonymous.get("/configurations"), 401, "UNAUTHORIZED")
        member = {"role_id": 3, "member_user": {"username": person}}
        made = api.post(f"/projects/{number}/members", json=member)
        assert made.headers["Location"].startswith(f"/api/v2.0/projects/{number}/members/")
        refused(api.post(f"/projects/{number}/members", json=member), 409, "CONFLICT")
        assert stranger.get(f"/projects/{called}").json()["current_user_role_id"] == 3
        refused(stranger.put(f"/projects/{called}", json={}), 403, "FORBIDDEN")
        at = made.headers["Location"].removeprefix("/api/v2.0")
        assert api.put(at, json={"role_id": 1}).status_code == 200
        assert stranger.put(f"/projects/{called}", json={}).status_code == 200
        assert api.get(at).json()["role_name"] == "projectAdmin"
        refused(api.put(at, json={"role_id": 9}), 400, "BAD_REQUEST", "role is not in")
        assert api.delete(at).status_code == 200
        refused(stranger.get(f"/projects/{called}"), 403, "FORBIDDEN")
    found = api.get("/users", params={"q": f"username={person}"}).json()[0]["user_id"]
    assert api.delete(f"/users/{found}").status_code == 200


def test_a_session_needs_a_csrf_token(live: LiveHarbor) -> None:
    with httpx.Client(base_url=live.url, trust_env=False) as browser:
        assert browser.post("/c/login", data={"principal": "admin", "password": "wrong"}).status_code == 401
        logged_in = browser.post("/c/login", data={"principal": "admin", "password": live.password})
        assert logged_in.status_code == 200
        answer = browser.get("/api/v2.0/users/current")
        assert answer.json()["username"] == "admin"
        token = answer.headers["X-Harbor-Csrf-Token"]
        body = {"project_name": name("p")}
        refused(browser.post("/api/v2.0/projects", json=body), 403, "FORBIDDEN", "CSRF token")
        bad = {"X-Harbor-Csrf-Token": "x" * len(token)}
        refused(browser.post("/api/v2.0/projects", json=body, headers=bad), 403, "FORBIDDEN", "CSRF token invalid")
        good = {"X-Harbor-Csrf-Token": token}
        assert browser.post("/api/v2.0/projects", json=body, headers=good).status_code == 201
        browser.cookies.delete("sid")
        refused(browser.get("/api/v2.0/users/current"), 401, "UNAUTHORIZED")


def test_a_client_that_stores_cookies_needs_the_token_even_with_a_password(live: LiveHarbor) -> None:
    with httpx.Client(base_url=live.url, auth=("admin", live.password), trust_env=False) as keeping:
        assert keeping.get("/api/v2.0/projects").status_code == 200
        refused(keeping.post("/api/v2.0/projects", json={"project_name": name("p")}), 403, "FORBIDDEN", "CSRF")


def test_faults_on_request(live: LiveHarbor, api: httpx.Client) -> None:
    fault = {"path": "/api/v2.0/quotas", "status": 429, "retry_after": 7}
    control = httpx.post(f"{live.url}/-/lab/faults", json=fault, headers={"X-Lab-Token": live.password})
    assert control.status_code == 201
    answer = api.get("/quotas")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert api.get("/quotas").status_code == 200


def test_replication_policies(live: LiveHarbor, api: httpx.Client) -> None:
    hub = {"name": name("r"), "type": "docker-hub", "url": "https://hub.example.com"}
    registry = int(api.post("/registries", json=hub).headers["Location"].rpartition("/")[2])
    policies, body = "/replication/policies", {"name": name("copy"), "dest_registry": {"id": registry}}
    at = api.post(policies, json={**body, "enabled": True, "deletion": True}).headers["Location"]
    found = next(item for item in api.get(policies).json() if item["name"] == body["name"])
    assert at == f"/api/v2.0{policies}/{found['id']}"
    assert (found["src_registry"]["name"], found["dest_registry"]["id"]) == ("Local", registry)
    assert (found["enabled"], found["replicate_deletion"], found["dest_namespace_replace_count"]) == (True, True, -1)
    refused(api.post(policies, json=body), 409, "CONFLICT", "already exists")
    cron = {"type": "scheduled", "trigger_settings": {"cron": "* * *"}}
    for wrong, text in (
        ({"name": ""}, "empty name"),
        ({"src_registry": {"id": registry}}, "either src_registry or dest_registry"),
        ({"dest_registry": {"id": 0}}, "either src_registry or dest_registry"),
        ({"trigger": {"type": "daily"}}, "invalid trigger type"),
        ({"trigger": {"type": "scheduled"}}, "cannot be empty"),
        ({"trigger": cron}, "invalid cron string"),
    ):
        refused(api.post(policies, json={**body, "name": name("p"), **wrong}), 400, "BAD_REQUEST", text)
    missing = {"name": name("p"), "src_registry": {"id": 99999}}
    refused(api.post(policies, json=missing), 404, "NOT_FOUND", "registry 99999 not found")
    refused(api.delete(f"/registries/{registry}"), 412, "PRECONDITION", "referenced by replication policies")
    with live.http(None) as anonymous:
        refused(anonymous.get(policies), 401, "UNAUTHORIZED")
    assert api.delete(at.removeprefix("/api/v2.0")).status_code == 200
    refused(api.delete(at.removeprefix("/api/v2.0")), 404, "NOT_FOUND")
    assert api.delete(f"/registries/{registry}").status_code == 200


def test_a_proxy_cache(api: httpx.Client) -> None:
    body = {"name": name("r"), "type": "docker-hub", "url": "https://hub.example.com",
            "credential": {"type": "basic", "access_key": "me", "access_secret": "marker-91"}}  # fmt: skip
    at = api.post("/registries", json=body).headers["Location"].removeprefix("/api/v2.0")
    shown = api.get(at)
    assert shown.json()["credential"] == {"type": "basic", "access_key": "me", "access_secret": "*****"}
    assert "marker-91" not in shown.text
    number, _ = make_project(api, registry_id=shown.json()["id"])
    cache = api.get(f"/projects/{number}").json()
    assert cache["registry_id"] == shown.json()["id"]
    assert api.get(f"/retentions/{cache['metadata']['retention_id']}").json()["scope"]["ref"] == number
    refused(api.delete(at), 412, "PRECONDITION", "referenced by proxy cache project")
    assert api.delete(f"/projects/{number}").status_code == 200
    assert api.put(at, json={"description": "d"}).status_code == 200
    assert api.delete(at).status_code == 200
    refused(api.post("/registries", json={**body, "url": "http://127.0.0.1:1"}), 400, "BAD_REQUEST", "unhealthy")
