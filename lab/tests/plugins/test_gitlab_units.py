"""The gitlab plugin's client, and plans for resources of the newer plugin framework."""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Iterator
from typing import Any

import httpx
import pulumi_gitlab
import pytest

from lab.plugins import framework
from lab.plugins.gitlab import provider
from lab.plugins.gitlab.hooks import RESOURCES as HOOKS
from lab.plugins.gitlab.protections import RESOURCES as PROTECTIONS
from lab.plugins.schema import trimmed
from lab.plugins.server import Host
from lab.plugins.wire import UNKNOWN, Secret
from lab.testing.gitlab_server import ROOT_TOKEN, LiveGitLab
from lab.tests.plugins.rpc import Plugin, PluginFailure
from lab.tests.plugins.test_gitlab_live import group, project

BRANCH_PROTECTION = PROTECTIONS["gitlab:index/branchProtection:BranchProtection"].shape
TAG_PROTECTION = PROTECTIONS["gitlab:index/tagProtection:TagProtection"].shape
ACCESS_TOKEN = "gitlab:index/projectAccessToken:ProjectAccessToken"
GROUP = "gitlab:index/group:Group"
FAULTS = "/-/lab/faults"


@pytest.fixture
def faults(gitlab_community: LiveGitLab) -> Iterator[Any]:
    headers = {"X-Lab-Token": ROOT_TOKEN}
    with httpx.Client(base_url=gitlab_community.url, headers=headers) as client:
        yield lambda **fault: client.post(FAULTS, json=fault).raise_for_status()
        client.delete(FAULTS)


# -- the connection ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 502, 503])
def test_temporary_errors_are_retried(gitlab_plugin: Plugin, faults: Any, unique: str, status: int) -> None:
    faults(path="/api/v4/groups", method="POST", status=status, retry_after=0 if status == 429 else None, times=1)
    made = group(gitlab_plugin, unique)
    faults(path=f"/api/v4/groups/{made.id}", method="GET", status=status, times=1, retry_after=0)
    made.assert_no_drift()


def test_a_refusal_has_gitlabs_message_without_the_token(gitlab_plugin: Plugin, faults: Any, unique: str) -> None:
    body = {"message": {"name": ["is odd", f"with {ROOT_TOKEN}"]}}
    faults(path="/api/v4/groups", method="POST", status=400, body=body)
    news, _ = gitlab_plugin.check(GROUP, {"name": unique, "path": unique})
    with pytest.raises(PluginFailure) as caught:
        gitlab_plugin.create(GROUP, news)
    assert "/api/v4/groups: 400 {message: {name: [is odd, with ***]}}" in str(caught.value)
    assert ROOT_TOKEN not in str(caught.value)


def test_an_invalid_token_is_refused_at_once_and_not_shown(gitlab_community: LiveGitLab) -> None:
    plugin = Plugin(provider.make(Host(None)))
    with pytest.raises(PluginFailure, match="401") as caught:
        plugin.configure(baseUrl=f"{gitlab_community.url}/api/v4/", token="glpat-wrong-one")
    assert "glpat-wrong-one" not in str(caught.value)
    plugin.configure(baseUrl=gitlab_community.url, token="glpat-wrong-one", earlyAuthCheck=False)
    plugin.close()


def test_the_error_for_an_unreachable_server_contains_its_url(unique: str) -> None:
    plugin = Plugin(provider.make(Host(None)))
    plugin.configure(baseUrl="http://127.0.0.1:1/api/v4/", token=ROOT_TOKEN, earlyAuthCheck=False, retries=1)
    news, _ = plugin.check(GROUP, {"name": unique, "path": unique})
    with pytest.raises(PluginFailure, match=r"http://127\.0\.0\.1:1") as caught:
        plugin.create(GROUP, news)
    assert ROOT_TOKEN not in str(caught.value)
    plugin.close()


def test_the_token_can_come_from_the_environment(gitlab_community: LiveGitLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", ROOT_TOKEN)
    monkeypatch.setenv("GITLAB_BASE_URL", f"{gitlab_community.url}/api/v4/")
    plugin = Plugin(provider.make(Host(None)))
    plugin.configure()
    with pytest.raises(PluginFailure, match="couldn't find a user matching: none"):
        plugin.invoke("gitlab:index/getUser:getUser", username="none")
    monkeypatch.delenv("GITLAB_TOKEN")
    bare = Plugin(provider.make(Host(None)))
    with pytest.raises(PluginFailure, match="No GitLab token configured"):
        bare.configure(baseUrl=gitlab_community.url)
    plugin.close()
    bare.close()


# -- rotation of access tokens-----------------------------------------------------------------------------------------


def test_a_token_rotates_when_its_rotation_is_due(
    gitlab_plugin: Plugin, gitlab_community: LiveGitLab, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = project(gitlab_plugin, unique)
    made = gitlab_plugin.made(
        ACCESS_TOKEN,
        {
            "project": owner.id, "name": "bot", "scopes": ["api"], "accessLevel": "developer",
            "rotationConfiguration": {"expirationDays": 30, "rotateBeforeDays": 7},
        },
    )  # fmt: skip
    first = made.state["token"]
    assert isinstance(first, Secret)
    later = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=25)
    monkeypatch.setattr("lab.plugins.gitlab.tokens.today", lambda: later)
    difference = made.diff()
    assert {"expiresAt", "token"} <= difference.paths.keys()
    assert difference.replaces == ()
    made.state = gitlab_plugin.update(ACCESS_TOKEN, made.id, made.state, made.inputs)
    assert made.state["expiresAt"] == (later + datetime.timedelta(days=30)).isoformat()
    assert made.state["token"] != first
    assert made.diff().none
    answer = httpx.get(f"{gitlab_community.url}/api/v4/user", headers={"PRIVATE-ROOT_TOKEN": str(first.value)})
    assert answer.status_code == httpx.codes.UNAUTHORIZED


def test_an_access_token_has_either_an_expiry_date_or_a_rotation(gitlab_plugin: Plugin) -> None:
    given = {
        "project": "1", "name": "t", "scopes": ["api"], "expiresAt": "2031-01-01",
        "rotationConfiguration": {"expirationDays": 30, "rotateBeforeDays": 7},
    }  # fmt: skip
    assert gitlab_plugin.check(ACCESS_TOKEN, given)[1]
    del given["rotationConfiguration"]
    assert not gitlab_plugin.check(ACCESS_TOKEN, given)[1]
    assert gitlab_plugin.check(ACCESS_TOKEN, {**given, "expiresAt": "soon"})[1]


# -- planning ---------------------------------------------------------------------------------------------------------


def test_defaults_are_in_the_plan_and_not_in_the_inputs(gitlab_plugin: Plugin) -> None:
    checked, failures = gitlab_plugin.check(TAG_PROTECTION.token, {"project": "1", "tag": "v*"})
    assert failures == []
    assert "createAccessLevel" not in checked
    assert framework.plan(TAG_PROTECTION, None, checked)["createAccessLevel"] == "maintainer"


def test_computed_values_are_unknown_after_any_change() -> None:
    shape = HOOKS["gitlab:index/projectHook:ProjectHook"].shape
    inputs = {"project": "1", "url": "https://a", "pushEvents": True}
    made = framework.plan(shape, None, inputs)
    assert made["alertStatus"] is UNKNOWN
    prior = {name: "told" if value is UNKNOWN else value for name, value in made.items()}
    same = framework.plan(shape, prior, inputs)
    assert same["alertStatus"] == "told"
    changed = framework.plan(shape, prior, {**inputs, "pushEvents": False})
    assert changed["alertStatus"] is UNKNOWN


def test_kept_values_stay_known() -> None:
    inputs = {"project": "1", "branch": "main", "pushAccessLevel": "maintainer"}
    prior = {**framework.plan(BRANCH_PROTECTION, None, inputs), "branchProtectionId": 7, "id": "1:main"}
    planned = framework.plan(BRANCH_PROTECTION, prior, {**inputs, "allowForcePush": True})
    assert planned["branchProtectionId"] == 7
    assert planned["allowForcePush"] is True


def test_an_unknown_value_stays_unknown() -> None:
    planned = framework.plan(TAG_PROTECTION, None, {"project": UNKNOWN, "tag": "v*"})
    assert planned["project"] is UNKNOWN


# -- the schema -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", sorted(trimmed("gitlab")["resources"]))
def test_the_inputs_are_those_of_the_installed_package(token: str) -> None:
    """The full schema was taken between two releases, so the trimmed one is corrected to the pinned version."""
    spec = trimmed("gitlab")["resources"][token]
    declared = {*spec["inputs"], *spec.get("unsupported", ())}
    made = inspect.signature(getattr(pulumi_gitlab, token.rpartition(":")[2])._internal_init).parameters
    taken = {name for name in made if name not in ("__self__", "resource_name", "opts", "__props__")}
    assert {pulumi_gitlab_name(name) for name in declared} == taken


def pulumi_gitlab_name(name: str) -> str:
    """Return a property's name in Python."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
