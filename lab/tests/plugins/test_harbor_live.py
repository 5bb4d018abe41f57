"""The harbor plugin on the stand-in Harbor: the life cycle of each resource, and special behaviour of upstream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lab.plugins.harbor import provider
from lab.plugins.server import Host
from lab.plugins.wire import Secret, reveal
from lab.tests.plugins.rpc import Made, Plugin, PluginFailure
from lab.tests.standins.harbor.conftest import PASSWORD, LiveHarbor, live_harbor

PROJECT = "harbor:index/project:Project"
MEMBER = "harbor:index/projectMemberGroup:ProjectMemberGroup"
ROBOT = "harbor:index/robotAccount:RobotAccount"
RETENTION = "harbor:index/retentionPolicy:RetentionPolicy"
IMMUTABLE = "harbor:index/immutableTagRule:ImmutableTagRule"
WEBHOOK = "harbor:index/projectWebhook:ProjectWebhook"
AUTH = "harbor:index/configAuth:ConfigAuth"
SYSTEM = "harbor:index/configSystem:ConfigSystem"
SCAN = "harbor:index/interrogationServices:InterrogationServices"
COLLECTION = "harbor:index/garbageCollection:GarbageCollection"
REGISTRY = "harbor:index/registry:Registry"
LABEL = "harbor:index/label:Label"
GIBIBYTE = 1024**3
OIDC = {
    "authMode": "oidc_auth", "oidcName": "keycloak", "oidcEndpoint": "https://127.0.0.1:1/realms/x",
    "oidcClientId": "harbor", "oidcClientSecret": "leak-marker", "oidcScope": "openid,profile",
    "oidcGroupsClaim": "groups", "oidcUserClaim": "preferred_username", "oidcVerifyCert": True,
    "oidcAutoOnboard": True, "oidcAdminGroup": "/platform/admin",
}  # fmt: skip


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHarbor]:
    with live_harbor(tmp_path_factory.mktemp("harbor")) as server:
        yield server


@pytest.fixture
def api(live: LiveHarbor) -> Iterator[httpx.Client]:
    with live.http() as client:
        yield client


@pytest.fixture(scope="module")
def plugin(live: LiveHarbor) -> Iterator[Plugin]:
    made = Plugin(provider.make(Host(None)))
    made.configure(url=live.url, username="admin", password=PASSWORD)
    yield made
    made.close()


@pytest.fixture
def project(plugin: Plugin, unique: str) -> Iterator[Made]:
    made = plugin.made(PROJECT, {"name": unique})
    yield made
    plugin.delete(PROJECT, made.id, made.state)


@pytest.fixture
def oidc(plugin: Plugin) -> Made:
    """Configure Harbor with an OIDC provider: only then a new group's name creates the group."""
    return plugin.made(AUTH, OIDC)


def manual_request(api: httpx.Client, method: str, path: str, body: Any = None) -> Any:
    response = api.request(method, path, json=body)
    assert response.is_success, response.text
    return response.json() if response.content else None


def lacking(plugin: Plugin, made: Made) -> list[str]:
    """Return errors for required inputs that an import cannot read from Harbor."""
    _, _, inputs = plugin.read(made.token, made.id)
    return plugin.check(made.token, reveal(inputs))[1]


def test_project(plugin: Plugin, api: httpx.Client, unique: str) -> None:
    given = {"name": unique, "storageQuota": 5, "deploymentSecurity": "high", "autoSbomGeneration": True}
    made = plugin.made(PROJECT, given)
    found = manual_request(api, "GET", made.id)
    assert made.id == f"/projects/{found['project_id']}"
    assert (made.state["projectId"], made.state["registryId"]) == (found["project_id"], 0)
    assert found["metadata"]["prevent_vul"] == "true"
    quota = f"/quotas?reference_id={found['project_id']}"
    assert manual_request(api, "GET", quota)[0]["hard"]["storage"] == 5 * GIBIBYTE
    made.assert_no_drift()
    made.change(storageQuota=7, public=True)
    assert manual_request(api, "GET", quota)[0]["hard"]["storage"] == 7 * GIBIBYTE
    assert made.diff(name="other").replaces == ("name",)
    assert made.diff(registryId=3).replaces == ("registryId",)
    manual_request(api, "PUT", made.id, {"metadata": {"public": "false", "severity": "low"}})
    made.assert_drift("public", "deploymentSecurity")
    made.repair()
    # It is written, but never read back.
    assert set(made.imported().paths) == {"storageQuota", "forceDestroy"}
    made.remove()
    plugin.delete(PROJECT, made.id, made.state)


def test_a_project_without_a_gate_or_a_name(plugin: Plugin, api: httpx.Client) -> None:
    made = plugin.made(PROJECT, {})
    assert reveal(made.state["name"]).startswith("res-")
    assert made.state["deploymentSecurity"] in ("", None)
    assert manual_request(api, "GET", made.id)["metadata"]["auto_scan"] == "true"
    made.assert_no_drift()
    assert made.imported().paths.keys() <= {"storageQuota", "forceDestroy"}
    made.remove()


def test_invalid_projects_are_refused(plugin: Plugin, project: Made) -> None:
    checked, failures = plugin.check(PROJECT, {"name": "x", "deploymentSecurity": "severe"})
    assert "must be one of [none, low, medium, high, critical], got severe" in failures[0]
    del checked
    news, _ = plugin.check(PROJECT, {"name": project.state["name"]})
    with pytest.raises(PluginFailure, match="unexpected status code got: 409 expected: 201"):
        plugin.create(PROJECT, news)


@pytest.mark.usefixtures("oidc")
def test_member_group(plugin: Plugin, api: httpx.Client, project: Made) -> None:
    given = {"projectId": project.id, "groupName": "/teleservice/devops", "type": "oidc", "role": "maintainer"}
    made = plugin.made(MEMBER, given)
    assert made.id.startswith(f"{project.id}/members/")
    made.assert_no_drift()
    made.change(role="developer")
    assert made.diff(groupName="/other").replaces == ("groupName",)
    manual_request(api, "PUT", made.id, {"role_id": 3})
    made.assert_drift("role")
    made.repair()
    assert lacking(plugin, made) == ["Missing required property 'type'"]
    groups = [item for item in manual_request(api, "GET", f"{project.id}/members") if item["entity_type"] == "g"]
    assert [(item["entity_name"], item["role_name"]) for item in groups] == [("/teleservice/devops", "developer")]
    _, failures = plugin.check(MEMBER, {**given, "role": "king"})
    assert "must be one of" in failures[0]
    made.remove()
    plugin.delete(MEMBER, made.id, made.state)
    # A project's number works, but then the member is replaced at every run, because the id is read back.
    number = plugin.create(MEMBER, plugin.check(MEMBER, {**given, "projectId": project.id.rpartition("/")[2]})[0])
    assert number[1]["projectId"] == project.id


def robot(project: Made, **more: Any) -> dict[str, Any]:
    accesses = [{"resource": "repository", "action": action} for action in ("push", "pull")]
    permission = {"kind": "project", "namespace": project.state["name"], "accesses": accesses}
    return {"name": "ci", "level": "project", "duration": 30, "permissions": [permission], **more}


def test_robot(plugin: Plugin, live: LiveHarbor, api: httpx.Client, project: Made) -> None:
    made = plugin.made(ROBOT, robot(project))
    full = f"robot${project.state['name']}+ci"
    number = made.id.rpartition("/")[2]
    assert (made.id, made.state["fullName"], made.state["robotId"]) == (f"/robots/{number}", full, number)
    secret = made.state["secret"]
    assert isinstance(secret, Secret)
    assert isinstance(secret.value, str)
    assert len(secret.value) == 32
    made.assert_no_drift()
    assert made.state["secret"] == secret
    made.change(description="pushes", duration=60, disable=True)
    assert made.state["secret"] == secret
    made.change(disable=False, secret="Chosen-secret-1")
    assert httpx.get(f"{live.url}/v2/", auth=(full, "Chosen-secret-1")).status_code == 200
    assert made.diff(name="other").replaces == ("name",)
    assert made.diff(level="system").replaces == ("level",)
    permissions = robot(project)["permissions"]
    permissions[0]["accesses"].append({"resource": "artifact", "action": "read"})
    made.change(permissions=permissions)
    changed = {**manual_request(api, "GET", made.id), "description": "manual"}
    manual_request(api, "PUT", made.id, changed)
    made.assert_drift("description")
    made.repair()
    assert set(made.imported().paths) == {"secret"}
    listed = manual_request(api, "GET", f"/robots?q=Level=project,ProjectID={project.id.rpartition('/')[2]}")
    assert [item["name"] for item in listed] == [full]
    made.remove()
    with pytest.raises(PluginFailure, match="404"):  # in upstream, the deletion of a missing robot fails
        plugin.delete(ROBOT, made.id, made.state)


def test_a_robot_with_a_given_secret(plugin: Plugin, project: Made) -> None:
    made = plugin.made(ROBOT, robot(project, secret="Given-secret-1"))
    assert made.state["secret"] == Secret("Given-secret-1")
    made.assert_no_drift()
    made.remove()
    news, _ = plugin.check(ROBOT, robot(project, secret="leak-marker", name="bad"))
    with pytest.raises(PluginFailure, match="8-128, inclusively") as caught:
        plugin.create(ROBOT, news)
    assert "leak-marker" not in str(caught.value)


def test_a_system_robot(plugin: Plugin, unique: str) -> None:
    permissions = [
        {"kind": "project", "namespace": "*", "accesses": [{"resource": "repository", "action": "pull"}]},
        {
            "kind": "system",
            "namespace": "/",
            "accesses": [{"resource": "project", "action": "list", "effect": "allow"}],
        },
    ]
    made = plugin.made(ROBOT, {"name": unique, "level": "system", "permissions": permissions})
    assert made.state["name"] == unique
    assert made.state["duration"] == -1
    made.assert_no_drift()
    made.remove()


def retention(project: Made, **more: Any) -> dict[str, Any]:
    rule = {"mostRecentlyPushed": 10, "repoMatching": "**", "tagMatching": "**"}
    return {"scope": project.id, "schedule": "Daily", "rules": [rule], **more}


def test_retention(plugin: Plugin, api: httpx.Client, project: Made) -> None:
    made = plugin.made(RETENTION, retention(project))
    assert made.id.startswith("/retentions/")
    made.assert_no_drift()
    rules = [
        {"mostRecentlyPushed": 5, "repoMatching": "x/**", "tagMatching": "v*", "untaggedArtifacts": False},
        {"nDaysSinceLastPush": 3, "repoMatching": "**", "tagMatching": "v*", "disabled": True},
    ]
    made.change(rules=rules, schedule="0 0 2 * * *")
    assert made.diff(scope="/projects/1").replaces == ("scope",)
    assert made.imported().none
    found = manual_request(api, "GET", made.id)
    found["trigger"]["settings"]["cron"] = ""
    manual_request(api, "PUT", made.id, found)
    made.assert_drift("schedule")
    made.repair()
    plugin.delete(RETENTION, made.id, made.state)
    # A deletion empties the policy; the next resource reuses it.
    assert manual_request(api, "GET", made.id).get("rules", []) == []
    again = plugin.made(RETENTION, retention(project))
    assert again.id == made.id
    again.assert_no_drift()


def test_a_lower_case_schedule_always_has_a_diff(plugin: Plugin, project: Made) -> None:
    checked, _ = plugin.check(RETENTION, retention(project, schedule="daily"))
    id_, state = plugin.create(RETENTION, checked)
    assert set(plugin.diff(RETENTION, state, checked).paths) == {"schedule"}
    plugin.delete(RETENTION, id_, state)


def test_immutable_tags(plugin: Plugin, api: httpx.Client, project: Made) -> None:
    given = {"projectId": project.id, "repoMatching": "**", "tagMatching": "v*", "disabled": True}
    made = plugin.made(IMMUTABLE, given)
    assert made.id.startswith(f"{project.id}/immutabletagrules/")
    assert manual_request(api, "GET", f"{project.id}/immutabletagrules")[0]["disabled"] is True
    made.assert_no_drift()
    made.change(disabled=None)
    made.change(tagMatching="release-*")
    assert made.diff(projectId="/projects/1").replaces == ("projectId",)
    assert made.imported().none
    many = [plugin.made(IMMUTABLE, {**given, "tagMatching": f"t{i}", "disabled": False}) for i in range(16)]
    many[-1].assert_no_drift()  # on the second page
    made.remove()
    with pytest.raises(PluginFailure, match="404"):
        plugin.delete(IMMUTABLE, made.id, made.state)


def test_a_webhook_created_outside_the_program_can_only_be_deleted(
    plugin: Plugin, api: httpx.Client, project: Made
) -> None:
    target = {"type": "http", "address": "https://example.com/hook", "skip_cert_verify": True}
    body = {"name": "told", "enabled": True, "event_types": ["PUSH_ARTIFACT"], "targets": [target]}
    manual_request(api, "POST", f"{project.id}/webhook/policies", body)
    (hook,) = manual_request(api, "GET", f"{project.id}/webhook/policies")
    id_, state, inputs = plugin.read(WEBHOOK, f"{project.id}/webhook/policies/{hook['id']}")
    assert {"name": "told", "address": "https://example.com/hook", "notifyType": "http"}.items() <= inputs.items()
    with pytest.raises(PluginFailure, match="it only deletes it"):
        plugin.create(WEBHOOK, {**inputs, "projectId": project.id, "eventsTypes": ["PUSH_ARTIFACT"]})
    plugin.delete(WEBHOOK, id_, state)
    with pytest.raises(PluginFailure, match="Resource not found"):
        plugin.read(WEBHOOK, id_, state)


def test_config_auth(plugin: Plugin, api: httpx.Client, oidc: Made) -> None:
    assert oidc.id == "/configurations"
    assert oidc.state["oidcClientSecret"] == Secret("leak-marker")
    oidc.assert_no_drift()
    oidc.change(oidcScope="openid,profile,offline_access")
    manual_request(api, "PUT", "/configurations", {"oidc_scope": "openid"})
    oidc.assert_drift("oidcScope")
    oidc.repair()
    assert any("oidcClientSecret must be specified" in failure for failure in lacking(plugin, oidc))
    _, failures = plugin.check(AUTH, {"authMode": "oidc_auth", "oidcName": "x"})
    assert any("must be specified" in failure for failure in failures)
    plugin.delete(AUTH, oidc.id, oidc.state)
    assert (
        manual_request(api, "GET", "/configurations")["auth_mode"]["value"] == "oidc_auth"
    )  # the deletion does not change Harbor


def test_config_system(plugin: Plugin, api: httpx.Client) -> None:
    given = {"robotTokenExpiration": 90}
    made = plugin.made(SYSTEM, given)
    assert made.id == "configuration/system"
    found = manual_request(api, "GET", "/configurations")
    assert found["project_creation_restriction"]["value"] == "adminonly"
    made.assert_no_drift()
    made.change(readOnly=True)
    made.change(readOnly=None)
    manual_request(api, "PUT", "/configurations", {"robot_token_duration": 5})
    made.assert_drift("robotTokenExpiration")
    made.repair()
    assert made.imported("configuration/system").none
    plugin.delete(SYSTEM, made.id, made.state)


def test_interrogation_services(plugin: Plugin, api: httpx.Client) -> None:
    made = plugin.made(SCAN, {"vulnerabilityScanPolicy": "Daily", "defaultScanner": "trivy"})
    assert made.id == "/system/scanAll/schedule"
    made.assert_no_drift()
    made.change(vulnerabilityScanPolicy="0 0 1 * * *")
    manual_request(api, "PUT", "/system/scanAll/schedule", {"schedule": {"type": "Hourly", "cron": "0 0 * * * *"}})
    made.assert_drift("vulnerabilityScanPolicy")
    made.repair()
    plugin.delete(SCAN, made.id, made.state)
    assert manual_request(api, "GET", "/system/scanAll/schedule") is None


def test_garbage_collection(plugin: Plugin, api: httpx.Client) -> None:
    made = plugin.made(COLLECTION, {"schedule": "Weekly", "deleteUntagged": True})
    assert made.id == "/system/gc/schedule"
    made.assert_no_drift()
    made.change(schedule="0 30 1 * * *", workers=3)
    _, failures = plugin.check(COLLECTION, {"schedule": "Daily", "workers": 9})
    assert "between 1 and 5" in failures[0]
    plugin.delete(COLLECTION, made.id, made.state)
    assert manual_request(api, "GET", "/system/gc/schedule") is None


def test_registry(plugin: Plugin, unique: str) -> None:
    given = {"name": unique, "providerName": "docker-hub", "endpointUrl": "https://hub.example.com", "accessId": "me",
             "accessSecret": "leak-marker"}  # fmt: skip
    made = plugin.made(REGISTRY, given)
    assert (made.state["status"], made.id) == ("healthy", f"/registries/{made.state['registryId']}")
    assert made.state["accessSecret"] == Secret("leak-marker")
    made.assert_no_drift()
    made.change(description="cache", accessSecret="other")
    assert made.diff(providerName="harbor").replaces == ("providerName",)
    assert set(made.imported().paths) == {"accessSecret"}
    made.remove()
    plugin.delete(REGISTRY, made.id, made.state)


def test_label(plugin: Plugin, unique: str, project: Made) -> None:
    made = plugin.made(LABEL, {"name": unique, "projectId": project.id, "color": "#fff"})
    assert made.state["scope"] == "p"
    made.assert_no_drift()
    made.change(description="d", color="#000")
    assert set(made.imported().paths) == {"projectId"}
    made.remove()
    plugin.delete(LABEL, made.id, made.state)
    everywhere = plugin.made(LABEL, {"name": unique})
    assert (everywhere.state["scope"], everywhere.state["color"]) == ("g", "false")
    everywhere.remove()


def test_a_refusal_is_reported_in_one_line_without_the_password(live: LiveHarbor) -> None:
    plugin = Plugin(provider.make(Host(None)))
    try:
        plugin.configure(url=live.url, username="admin", password="Wrong-password-1")
        news, _ = plugin.check(PROJECT, {"name": "x"})
        with pytest.raises(PluginFailure, match="unexpected status code got: 401 expected: 201") as caught:
            plugin.create(PROJECT, news)
        assert "Wrong-password-1" not in str(caught.value)
        plugin.configure(url="http://127.0.0.1:1", username="admin", password=PASSWORD)
        with pytest.raises(PluginFailure, match=r'Post "http://127\.0\.0\.1:1/api/v2\.0/projects"'):
            plugin.create(PROJECT, news)
    finally:
        plugin.close()


def test_credentials_come_from_the_environment(live: LiveHarbor, monkeypatch: pytest.MonkeyPatch, unique: str) -> None:
    for variable, value in (("URL", live.url), ("USERNAME", "admin"), ("PASSWORD", PASSWORD)):
        monkeypatch.setenv(f"HARBOR_{variable}", value)
    plugin = Plugin(provider.make(Host(None)))
    try:
        plugin.configure()
        plugin.made(PROJECT, {"name": unique}).remove()
        for variable in ("URL", "USERNAME", "PASSWORD"):
            monkeypatch.delenv(f"HARBOR_{variable}")
        with pytest.raises(PluginFailure, match="missing a required configuration key"):
            plugin.configure()
    finally:
        plugin.close()
