"""The gitlab plugin on the stand-in GitLab: life cycles of groups, projects, users, variables and tokens."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from lab.plugins.wire import Secret, reveal
from lab.testing.gitlab_server import ROOT_TOKEN, LiveGitLab
from lab.tests.plugins.rpc import Made, Plugin, PluginFailure

GROUP = "gitlab:index/group:Group"
PROJECT = "gitlab:index/project:Project"
USER = "gitlab:index/user:User"
GROUP_MEMBER = "gitlab:index/groupMembership:GroupMembership"
PROJECT_MEMBER = "gitlab:index/projectMembership:ProjectMembership"
GROUP_VARIABLE = "gitlab:index/groupVariable:GroupVariable"
PROJECT_VARIABLE = "gitlab:index/projectVariable:ProjectVariable"
RUNNER = "gitlab:index/userRunner:UserRunner"


def group(plugin: Plugin, name: str, **extra: Any) -> Made:
    return plugin.made(GROUP, {"name": name, "path": name, **extra})


def project(plugin: Plugin, name: str, **extra: Any) -> Made:
    return plugin.made(PROJECT, {"name": name, "initializeWithReadme": True, **extra})


def user(plugin: Plugin, name: str, **extra: Any) -> Made:
    person = {"name": name.title(), "username": name, "email": f"{name}@example.org", "forceRandomPassword": True}
    return plugin.made(USER, {**person, **extra})


def test_group(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, unique: str) -> None:
    made = group(gitlab_plugin, unique, description="Of a tenant", visibilityLevel="private")
    assert made.state["fullPath"] == unique
    assert made.state["projectCreationLevel"] == "developer"
    assert isinstance(made.state["runnersToken"], Secret)
    made.assert_no_drift()
    made.change(description=None, projectCreationLevel="maintainer", requestAccessEnabled=False)
    assert gitlab_community.call("GET", f"groups/{made.id}")["project_creation_level"] == "maintainer"
    gitlab_community.call("PUT", f"groups/{made.id}", project_creation_level="noone", name="Manual")
    made.assert_drift("projectCreationLevel", "name")
    made.repair()
    inner = group(gitlab_plugin, f"{unique}-in", parentId=int(made.id))
    assert inner.state["fullPath"] == f"{unique}/{unique}-in"
    inner.assert_no_drift()
    assert inner.diff(parentId=1).replaces == ()
    inner.remove()
    made.remove()
    gitlab_plugin.delete(GROUP, made.id, made.state)


def test_an_imported_group_has_no_diff(gitlab_plugin: Plugin, unique: str) -> None:
    made = group(gitlab_plugin, unique, visibilityLevel="internal")
    found, state, inputs = gitlab_plugin.read(GROUP, unique)
    assert (found, state["id"]) == (made.id, made.id)
    assert gitlab_plugin.diff(GROUP, state, made.inputs).none
    assert inputs["visibilityLevel"] == "internal"


def test_a_group_marked_for_deletion_counts_as_gone(
    gitlab_premium_plugin: Plugin, gitlab_premium: LiveGitLab, unique: str
) -> None:
    top = group(gitlab_premium_plugin, unique)
    kept = group(gitlab_premium_plugin, f"{unique}-kept", parentId=int(top.id))
    gitlab_premium_plugin.delete(GROUP, kept.id, kept.state)
    assert gitlab_premium.call("GET", f"groups/{kept.id}")["marked_for_deletion_on"]
    assert not kept.refresh()


def test_project(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, unique: str) -> None:
    owner = group(gitlab_plugin, unique)
    made = project(
        gitlab_plugin, f"{unique}-app", namespaceId=int(owner.id), visibilityLevel="private", topics=["b", "a"],
        onlyAllowMergeIfPipelineSucceeds=True, squashOption="default_on", buildTimeout=1800,
        ciForwardDeploymentEnabled=True, autoDevopsEnabled=False, keepLatestArtifact=False, defaultBranch="main",
    )  # fmt: skip
    assert made.state["pathWithNamespace"] == f"{unique}/{unique}-app"
    assert made.state["defaultBranch"] == "main"
    assert isinstance(made.state["runnersToken"], Secret)
    made.assert_no_drift()
    made.change(description="x", mergeMethod="ff", topics=["a", "c"], buildTimeout=3600, ciConfigPath="ops.yml@a/b")
    made.change(description=None)
    gitlab_community.call("PUT", f"projects/{made.id}", merge_method="merge", build_timeout=7200, topics=["x"])
    made.assert_drift("mergeMethod", "buildTimeout", "topics[0]", "topics[1]")
    made.repair()
    assert set(made.imported().paths) == {"initializeWithReadme"}
    assert set(made.imported(f"{unique}/{unique}-app").paths) == {"initializeWithReadme"}
    made.change(archived=True)
    assert gitlab_community.call("GET", f"projects/{made.id}")["archived"] is True
    made.change(archived=False)
    # A new namespace is a transfer, not a replacement.
    other = group(gitlab_plugin, f"{unique}-other")
    made.change(namespaceId=int(other.id))
    assert made.state["pathWithNamespace"] == f"{unique}-other/{unique}-app"
    made.remove()


def test_contradicting_inputs_of_a_project_are_refused_first(gitlab_plugin: Plugin) -> None:
    _, failures = gitlab_plugin.check(PROJECT, {"name": "p", "squashOption": "sometimes"})
    assert len(failures) == 1
    assert "squashOption" in failures[0]
    _, failures = gitlab_plugin.check(GROUP, {"name": "g"})
    assert len(failures) == 1
    assert "'path'" in failures[0] or '"path"' in failures[0]


def test_a_default_branch_of_an_empty_project_needs_no_wait(gitlab_plugin: Plugin, unique: str) -> None:
    made = gitlab_plugin.made(PROJECT, {"name": unique})
    assert made.state["emptyRepo"] is True
    made.assert_no_drift()
    made.remove()


def test_an_existing_path_is_refused_with_gitlabs_message(gitlab_plugin: Plugin, unique: str) -> None:
    project(gitlab_plugin, unique)
    news, _ = gitlab_plugin.check(PROJECT, {"name": unique})
    with pytest.raises(PluginFailure, match="has already been taken") as caught:
        gitlab_plugin.create(PROJECT, news)
    assert "POST" in str(caught.value)
    assert ROOT_TOKEN not in str(caught.value)


def test_user(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, unique: str) -> None:
    made = user(gitlab_plugin, unique, isExternal=True)
    assert made.state["state"] == "active"
    assert gitlab_community.call("GET", f"users/{made.id}")["external"] is True
    made.assert_no_drift()
    made.change(name="Renamed", isExternal=False, canCreateGroup=True)
    made.change(state="blocked")
    assert gitlab_community.call("GET", f"users/{made.id}")["state"] == "blocked"
    made.change(state="active")
    gitlab_community.call("PUT", f"users/{made.id}", name="Manual")
    made.assert_drift("name")
    made.repair()
    assert set(made.imported().paths) <= {"forceRandomPassword", "skipConfirmation"}
    made.remove()


def test_a_users_password_is_secret_and_required(gitlab_plugin: Plugin, unique: str) -> None:
    person = {"name": "N", "username": unique, "email": f"{unique}@example.org"}
    news, _ = gitlab_plugin.check(USER, person)
    with pytest.raises(PluginFailure, match="password"):
        gitlab_plugin.create(USER, news)
    made = gitlab_plugin.made(USER, {**person, "password": "corr3ct-horse-battery"})
    assert made.state["password"] == Secret("corr3ct-horse-battery")
    made.assert_no_drift()
    made.change(password="an0ther-horse-battery")
    made.remove()


def test_user_identity(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, unique: str) -> None:
    person = user(gitlab_plugin, unique)
    token = "gitlab:index/userIdentity:UserIdentity"
    made = gitlab_plugin.made(
        token, {"userId": int(person.id), "externalProvider": "openid_connect", "externalUid": unique}
    )
    assert made.id == f"{person.id}:openid_connect"
    made.assert_no_drift()
    person.assert_no_drift()
    [identity] = gitlab_community.call("GET", f"users/{person.id}")["identities"]
    assert (identity["provider"], identity["extern_uid"]) == ("openid_connect", unique)
    assert made.diff(userId=1).replaces == ("userId",)
    assert made.imported().none
    made.remove()
    person.remove()
    assert not made.refresh()


@pytest.mark.parametrize("token", [GROUP_MEMBER, PROJECT_MEMBER])
def test_membership(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, unique: str, token: str) -> None:
    person = user(gitlab_plugin, unique)
    if token == GROUP_MEMBER:
        root, owner = "groups", group(gitlab_plugin, f"{unique}-g")
        given: dict[str, Any] = {"groupId": int(owner.id)}
    else:
        root, owner = "projects", project(gitlab_plugin, f"{unique}-p")
        given = {"project": owner.id}
    made = gitlab_plugin.made(token, {**given, "userId": int(person.id), "accessLevel": "developer"})
    assert made.id == f"{owner.id}:{person.id}"
    made.assert_no_drift()
    made.change(accessLevel="maintainer", expiresAt="2031-02-03")
    assert gitlab_community.call("GET", f"{root}/{owner.id}/members/{person.id}")["access_level"] == 40
    gitlab_community.call("PUT", f"{root}/{owner.id}/members/{person.id}", access_level=10)
    assert made.refresh()
    assert "accessLevel" in made.diff().paths
    made.repair()
    assert made.diff(userId=1).replaces == ("userId",)
    assert made.imported().none
    _, failures = gitlab_plugin.check(token, {**given, "userId": 1, "accessLevel": "king"})
    assert any("king" in failure for failure in failures)
    gitlab_community.call("DELETE", f"{root}/{owner.id}/members/{person.id}")
    assert made.gone()


@pytest.mark.parametrize("token", [GROUP_VARIABLE, PROJECT_VARIABLE])
def test_variable(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, unique: str, token: str) -> None:
    owner = (group if token == GROUP_VARIABLE else project)(gitlab_plugin, unique)
    name, root = ("group", "groups") if token == GROUP_VARIABLE else ("project", "projects")
    made = gitlab_plugin.made(
        token, {name: owner.id, "key": "KEY", "value": "v1", "environmentScope": "prod/*" if name == "project" else "*"}
    )
    scope = made.state["environmentScope"]
    assert made.id == f"{owner.id}:KEY:{scope}"
    assert (made.state["variableType"], made.state["raw"]) == ("env_var", False)
    made.assert_no_drift()
    made.change(value="v2", protected=True, raw=True, description="d")
    gitlab_community.call("PUT", f"{root}/{owner.id}/variables/KEY?filter[environment_scope]={scope}", value="by-hand")
    assert made.refresh()
    assert reveal(made.state["value"]) == "by-hand"
    assert "value" in made.diff().paths
    made.repair()
    # A new key is a replacement, and the engine creates the new variable first.
    assert made.diff(key="OTHER").replaces == ("key",)
    assert not made.diff(key="OTHER").delete_first
    assert made.imported().none
    made.remove()


def test_a_value_that_gitlab_cannot_mask_is_refused(gitlab_plugin: Plugin, unique: str) -> None:
    owner = project(gitlab_plugin, unique)
    news, _ = gitlab_plugin.check(
        PROJECT_VARIABLE, {"project": owner.id, "key": "KEY", "value": "short", "masked": True}
    )
    with pytest.raises(PluginFailure, match="masked"):
        gitlab_plugin.create(PROJECT_VARIABLE, news)


@pytest.mark.parametrize(
    ("kind", "owner_kind"),
    [("projectDeployToken:ProjectDeployToken", "project"), ("groupDeployToken:GroupDeployToken", "group")],
)
def test_deploy_token(
    gitlab_plugin: Plugin, gitlab_community: LiveGitLab, unique: str, kind: str, owner_kind: str
) -> None:
    owner = (group if owner_kind == "group" else project)(gitlab_plugin, unique)
    made = gitlab_plugin.made(
        f"gitlab:index/{kind}", {owner_kind: owner.id, "name": "argo", "scopes": ["read_registry", "read_repository"]}
    )
    assert made.id.startswith(f"{owner.id}:")
    assert isinstance(made.state["token"], Secret)
    secret = made.state["token"]
    made.assert_no_drift()
    assert made.state["token"] == secret
    assert "name" in made.diff(name="other").replaces
    number = made.id.rpartition(":")[2]
    inputs = {"expiresAt": "2027-06-30T23:59:59Z", owner_kind: owner.id, "name": "ends", "scopes": ["read_registry"]}
    checked, _ = gitlab_plugin.check(made.token, inputs)
    _, state = gitlab_plugin.create(made.token, checked)
    # The server answers the time with its own offset, which upstream considers as another time.
    assert state["expiresAt"] == "2027-07-01T00:59:59+01:00"
    assert gitlab_plugin.diff(made.token, state, checked).replaces == ("expiresAt",)
    assert gitlab_plugin.diff(made.token, state, checked, ignore=["expiresAt"]).none
    gitlab_community.call("DELETE", f"{owner_kind}s/{owner.id}/deploy_tokens/{number}")
    assert made.gone()
    # In upstream, this is an error.
    with pytest.raises(PluginFailure, match="404"):
        gitlab_plugin.delete(made.token, made.id, made.state)


@pytest.mark.parametrize(
    ("kind", "owner_kind"),
    [("projectAccessToken:ProjectAccessToken", "project"), ("groupAccessToken:GroupAccessToken", "group")],
)
def test_access_token(
    gitlab_plugin: Plugin, gitlab_community: LiveGitLab, unique: str, kind: str, owner_kind: str
) -> None:
    owner = (group if owner_kind == "group" else project)(gitlab_plugin, unique)
    made = gitlab_plugin.made(
        f"gitlab:index/{kind}",
        {
            owner_kind: owner.id, "name": "bot", "scopes": ["api"], "accessLevel": "developer",
            "rotationConfiguration": {"expirationDays": 30, "rotateBeforeDays": 7},
        },
    )  # fmt: skip
    assert isinstance(made.state["token"], Secret)
    value = str(reveal(made.state["token"]))
    answer = httpx.get(f"{gitlab_community.url}/api/v4/user", headers={"PRIVATE-TOKEN": value})
    assert answer.json()["id"] == made.state["userId"]
    made.assert_no_drift()
    assert made.diff(scopes=["read_api"]).replaces == ("scopes",)
    made.remove()
    answer = httpx.get(f"{gitlab_community.url}/api/v4/user", headers={"PRIVATE-TOKEN": value})
    assert answer.status_code == httpx.codes.UNAUTHORIZED


def test_a_project_shared_with_a_group(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, unique: str) -> None:
    owner, guest = project(gitlab_plugin, unique), group(gitlab_plugin, f"{unique}-g")
    given = {"project": owner.id, "groupId": int(guest.id), "groupAccess": "developer"}
    made = gitlab_plugin.made("gitlab:index/projectShareGroup:ProjectShareGroup", given)
    assert made.id == f"{owner.id}:{guest.id}"
    made.assert_no_drift()
    assert made.diff(groupAccess="guest").replaces == ("groupAccess",)
    assert made.imported().none
    gitlab_community.call("DELETE", f"projects/{owner.id}/share/{guest.id}")
    assert made.gone()


def test_a_group_shared_with_a_group(gitlab_plugin: Plugin, unique: str) -> None:
    owner, guest = group(gitlab_plugin, unique), group(gitlab_plugin, f"{unique}-g")
    given = {"groupId": int(owner.id), "shareGroupId": int(guest.id), "groupAccess": "guest"}
    made = gitlab_plugin.made("gitlab:index/groupShareGroup:GroupShareGroup", given)
    assert made.id == f"{owner.id}:{guest.id}"
    made.assert_no_drift()
    assert made.diff(groupAccess="developer").replaces == ("groupAccess",)
    assert made.imported().none
    made.remove()


def test_runner(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, unique: str) -> None:
    owner = group(gitlab_plugin, unique)
    made = gitlab_plugin.made(
        RUNNER,
        {
            "runnerType": "group_type",
            "groupId": int(owner.id),
            "description": unique,
            "accessLevel": "ref_protected",
            "tagLists": ["protected"],
            "untagged": False,
            "locked": True,
            "maximumTimeout": 3600,
        },
    )
    assert isinstance(made.state["token"], Secret)
    assert str(reveal(made.state["token"])).startswith("glrt-")
    made.assert_no_drift()
    made.change(maximumTimeout=7200, tagLists=["other"])
    assert gitlab_community.call("GET", f"runners/{made.id}")["tag_list"] == ["other"]
    # The token is the one of the creation: no answer has it again.
    assert str(reveal(made.state["token"])).startswith("glrt-")
    gitlab_community.call("PUT", f"runners/{made.id}", access_level="not_protected", run_untagged=True)
    assert made.refresh()
    # A computed value that GitLab leaves empty is unknown again when another one changes.
    assert set(made.diff().paths) == {"accessLevel", "untagged", "maintenanceNote"}
    made.repair()
    assert made.diff(groupId=1).replaces == ("groupId",)
    with pytest.raises(PluginFailure, match="at least 10 minutes"):
        gitlab_plugin.made(RUNNER, {"runnerType": "group_type", "groupId": int(owner.id), "maximumTimeout": 60})
    made.remove()
    owner.remove()
