"""The gitlab plugin on the stand-in GitLab: objects of projects (protections, files, ...), and the paid edition."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from lab.testing.gitlab_server import LiveGitLab
from lab.tests.plugins.rpc import Made, Plugin, PluginFailure
from lab.tests.plugins.test_gitlab_live import group, project, user

BRANCH_PROTECTION = "gitlab:index/branchProtection:BranchProtection"
TAG_PROTECTION = "gitlab:index/tagProtection:TagProtection"
ENVIRONMENT = "gitlab:index/projectEnvironment:ProjectEnvironment"
PROTECTED_ENVIRONMENT = "gitlab:index/projectProtectedEnvironment:ProjectProtectedEnvironment"
SCHEDULE = "gitlab:index/pipelineSchedule:PipelineSchedule"
FILE = "gitlab:index/repositoryFile:RepositoryFile"
PACKAGE_RULE = "gitlab:index/projectPackageProtectionRule:ProjectPackageProtectionRule"
MAINTAINERS = [{"accessLevel": "maintainer"}]


@pytest.fixture
def owner(gitlab_plugin: Plugin, unique: str) -> Made:
    return project(gitlab_plugin, unique)


@pytest.fixture
def paid(gitlab_premium_plugin: Plugin, unique: str) -> Made:
    return project(gitlab_premium_plugin, unique)


def drifted(made: Made, *paths: str) -> None:
    """Assert that drift is found. Other computed values are then unknown again, as in upstream."""
    assert made.refresh()
    assert set(paths) <= set(made.diff().paths)


def test_branch_protection(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, owner: Made) -> None:
    given = {"project": owner.id, "branch": "main", "pushAccessLevel": "no one", "mergeAccessLevel": "developer"}
    # GitLab protects the default branch itself; upstream adopts that protection.
    assert gitlab_community.call("GET", f"projects/{owner.id}/protected_branches/main")
    made = gitlab_plugin.made(BRANCH_PROTECTION, given)
    assert made.id == f"{owner.id}:main"
    made.assert_no_drift()
    made.change(allowForcePush=True)
    assert made.diff(pushAccessLevel="maintainer").replaces == ("pushAccessLevel",)
    gitlab_community.call("PATCH", f"projects/{owner.id}/protected_branches/main", allow_force_push=False)
    made.assert_drift("allowForcePush")
    made.repair()
    assert made.imported().none
    made.remove()


def test_an_existing_protection_of_another_branch_is_not_adopted(
    gitlab_plugin: Plugin, gitlab_community: LiveGitLab, owner: Made
) -> None:
    gitlab_community.call("POST", f"projects/{owner.id}/protected_branches", name="release/*")
    news, _ = gitlab_plugin.check(BRANCH_PROTECTION, {"project": owner.id, "branch": "release/*"})
    with pytest.raises(PluginFailure, match=r'protected branch "release/\*" on project .* already exists'):
        gitlab_plugin.create(BRANCH_PROTECTION, news)


def test_each_edition_has_its_own_properties_for_push_access(
    gitlab_plugin: Plugin, gitlab_premium_plugin: Plugin, owner: Made, paid: Made
) -> None:
    news, _ = gitlab_plugin.check(
        BRANCH_PROTECTION, {"project": owner.id, "branch": "main", "allowedToPushes": MAINTAINERS}
    )
    with pytest.raises(PluginFailure, match=r"allowed_to_push.*Enterprise license required"):
        gitlab_plugin.create(BRANCH_PROTECTION, news)
    news, _ = gitlab_premium_plugin.check(
        BRANCH_PROTECTION, {"project": paid.id, "branch": "main", "pushAccessLevel": "maintainer"}
    )
    with pytest.raises(PluginFailure, match=r"push_access_level.*not available for GitLab Enterprise"):
        gitlab_premium_plugin.create(BRANCH_PROTECTION, news)


def test_branch_protection_by_users(gitlab_premium_plugin: Plugin, gitlab_premium: LiveGitLab, paid: Made) -> None:
    person = user(gitlab_premium_plugin, f"{paid.state['name']}-u")
    gitlab_premium.call("POST", f"projects/{paid.id}/members", user_id=int(person.id), access_level=40)
    made = gitlab_premium_plugin.made(
        BRANCH_PROTECTION,
        {"project": paid.id, "branch": "main", "allowedToPushes": MAINTAINERS, "allowedToMerges": MAINTAINERS},
    )
    made.assert_no_drift()
    made.change(allowedToMerges=[*MAINTAINERS, {"userId": int(person.id)}], codeOwnerApprovalRequired=True)
    levels = gitlab_premium.call("GET", f"projects/{paid.id}/protected_branches/main")["merge_access_levels"]
    assert {level["user_id"] for level in levels} == {None, int(person.id)}
    made.change(allowedToMerges=[{"userId": int(person.id)}])
    assert made.imported().none
    made.remove()


def test_tag_protection(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, owner: Made) -> None:
    made = gitlab_plugin.made(TAG_PROTECTION, {"project": owner.id, "tag": "v*"})
    assert (made.id, made.state["createAccessLevel"]) == (f"{owner.id}:v*", "maintainer")
    made.assert_no_drift()
    assert made.diff(createAccessLevel="developer").replaces == ("createAccessLevel",)
    assert made.imported().none
    # A second protection of the same tag replaces the first, as in upstream.
    second = gitlab_plugin.made(TAG_PROTECTION, {"project": owner.id, "tag": "v*", "createAccessLevel": "no one"})
    made.assert_drift("createAccessLevel")
    second.remove()
    gitlab_community.call("POST", f"projects/{owner.id}/protected_tags", name="v*", create_access_level=30)
    made.assert_drift("createAccessLevel")
    gitlab_community.call("DELETE", f"projects/{owner.id}/protected_tags/v%2A")
    assert made.gone()


def test_environment(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, owner: Made) -> None:
    made = gitlab_plugin.made(
        ENVIRONMENT, {"project": owner.id, "name": "prod", "tier": "production", "stopBeforeDestroy": True}
    )
    made.assert_no_drift()
    made.change(externalUrl="https://app.example.org")
    assert made.diff(name="other").replaces == ("name",)
    number = made.id.rpartition(":")[2]
    gitlab_community.call("PUT", f"projects/{owner.id}/environments/{number}", tier="staging")
    drifted(made, "tier")
    made.repair()
    assert not {"tier", "externalUrl", "name"} & made.imported().paths.keys()
    made.remove()


def test_an_environment_that_is_not_stopped_is_not_deleted(
    gitlab_plugin: Plugin, gitlab_community: LiveGitLab, owner: Made
) -> None:
    made = gitlab_plugin.made(ENVIRONMENT, {"project": owner.id, "name": "prod"})
    with pytest.raises(PluginFailure, match="stop"):
        gitlab_plugin.delete(ENVIRONMENT, made.id, made.state)
    number = made.id.rpartition(":")[2]
    gitlab_community.call("POST", f"projects/{owner.id}/environments/{number}/stop")
    assert made.refresh()
    made.remove()


def test_schedule(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, owner: Made) -> None:
    made = gitlab_plugin.made(
        SCHEDULE, {"project": owner.id, "description": "nightly", "ref": "refs/heads/main", "cron": "0 1 * * *"}
    )
    assert (made.state["active"], made.state["cronTimezone"]) == (True, "UTC")
    made.assert_no_drift()
    made.change(cron="30 2 * * 1", cronTimezone="Europe/Paris", active=False)
    number = made.state["pipelineScheduleId"]
    gitlab_community.call("PUT", f"projects/{owner.id}/pipeline_schedules/{number}", cron="0 0 * * *")
    drifted(made, "cron")
    made.repair()
    assert set(made.imported().paths) <= {"takeOwnership"}
    made.remove()
    bad, _ = gitlab_plugin.check(SCHEDULE, {**made.given, "cron": "every day"})
    with pytest.raises(PluginFailure, match="Unable to create pipeline schedule"):
        gitlab_plugin.create(SCHEDULE, bad)


def test_a_variable_of_a_schedule_can_only_be_deleted(
    gitlab_plugin: Plugin, gitlab_community: LiveGitLab, owner: Made
) -> None:
    token = "gitlab:index/pipelineScheduleVariable:PipelineScheduleVariable"
    given = {"project": owner.id, "description": "nightly", "ref": "refs/heads/main", "cron": "0 1 * * *"}
    schedule = gitlab_plugin.made(SCHEDULE, given)
    number = schedule.state["pipelineScheduleId"]
    gitlab_community.call(
        "POST", f"projects/{owner.id}/pipeline_schedules/{number}/variables", key="JOB", value="audit"
    )
    id_, state, inputs = gitlab_plugin.read(token, f"{owner.id}:{number}:JOB")
    wanted = {"project": owner.id, "pipelineScheduleId": number, "key": "JOB", "value": "audit"}
    assert wanted.items() <= inputs.items()
    gone(gitlab_plugin, token, id_, state, inputs)
    schedule.remove()


def gone(plugin: Plugin, token: str, id_: str, state: Any, inputs: Any) -> None:
    """Assert that an adopted object can be deleted, but not created."""
    with pytest.raises(PluginFailure, match="it only deletes it"):
        plugin.create(token, inputs)
    plugin.delete(token, id_, state)
    assert plugin.read(token, id_)[0] == ""


def test_file(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, owner: Made) -> None:
    made = gitlab_plugin.made(
        FILE,
        {
            "project": owner.id, "branch": "main", "filePath": "ci/job.yml", "content": "a: é\n", "encoding": "text",
            "commitMessage": "Add a job", "authorName": "Usine", "authorEmail": "usine@example.org",
        },
    )  # fmt: skip
    assert made.id == f"{owner.id}:main:ci/job.yml"
    path = f"projects/{owner.id}/repository/files/ci%2Fjob.yml"
    assert base64.b64decode(gitlab_community.call("GET", f"{path}?ref=main")["content"]).decode() == "a: é\n"
    made.assert_no_drift()
    made.change(content="a: 2\n", commitMessage="Change a job")
    last = gitlab_community.call("GET", f"projects/{owner.id}/repository/branches/main")["commit"]
    assert (last["message"].strip(), last["author_name"]) == ("Change a job", "Usine")
    gitlab_community.call("PUT", path, branch="main", content="manual", commit_message="m")
    made.assert_drift("content")
    made.repair()
    assert set(made.diff(filePath="b.yml").replaces) == {"filePath"}
    content = base64.b64encode(b"a: 3\n").decode()
    made.change(encoding="base64", content=content)
    made.remove()


def test_an_existing_file_is_overwritten_only_on_request(
    gitlab_plugin: Plugin, gitlab_community: LiveGitLab, owner: Made
) -> None:
    given: dict[str, Any] = {
        "project": owner.id, "branch": "main", "filePath": "README.md", "content": "x", "encoding": "text",
        "commitMessage": "m",
    }  # fmt: skip
    news, _ = gitlab_plugin.check(FILE, given)
    with pytest.raises(PluginFailure, match="already exists"):
        gitlab_plugin.create(FILE, news)
    made = gitlab_plugin.made(FILE, {**given, "overwriteOnCreate": True})
    made.assert_no_drift()
    gitlab_community.call(
        "DELETE", f"projects/{owner.id}/repository/files/README.md", branch="main", commit_message="gone"
    )
    assert made.gone()


def test_tag(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, owner: Made) -> None:
    tag = gitlab_plugin.made(
        "gitlab:index/projectTag:ProjectTag", {"project": owner.id, "name": "v1", "ref": "main", "message": "First"}
    )
    assert tag.id == f"{owner.id}:v1"
    tag.assert_no_drift()
    assert tag.diff(message="Other").replaces == ("message",)
    assert tag.diff(ref="other").replaces == ("ref",)
    gitlab_plugin.delete(tag.token, tag.id, tag.state)
    other = gitlab_plugin.made(tag.token, {"project": owner.id, "name": "v2", "ref": "main"})
    with pytest.raises(PluginFailure, match="Tag v2 already exists"):
        gitlab_plugin.made(tag.token, {"project": owner.id, "name": "v2", "ref": "main"})
    gitlab_community.call("DELETE", f"projects/{owner.id}/repository/tags/v2")
    # As in upstream: an error instead of an empty id.
    with pytest.raises(PluginFailure, match="404 Not Found"):
        other.gone()


@pytest.mark.parametrize("kind", ["project", "group"])
def test_a_hook_created_outside_the_program_can_only_be_deleted(
    gitlab_premium_plugin: Plugin, gitlab_premium: LiveGitLab, paid: Made, unique: str, kind: str
) -> None:
    token = f"gitlab:index/{kind}Hook:{kind.title()}Hook"
    owner = paid if kind == "project" else group(gitlab_premium_plugin, unique)
    hook = gitlab_premium.call("POST", f"{kind}s/{owner.id}/hooks", url="https://example.org/h", pipeline_events=True)
    id_, state, inputs = gitlab_premium_plugin.read(token, f"{owner.id}:{hook['id']}")
    wanted = {kind: owner.id, "url": "https://example.org/h", "pipelineEvents": True}
    assert wanted.items() <= inputs.items()
    assert state["hookId"] == hook["id"]
    gone(gitlab_premium_plugin, token, id_, state, inputs)


def test_job_token_scopes(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, owner: Made, unique: str) -> None:
    other = group(gitlab_plugin, f"{unique}-g")
    made = gitlab_plugin.made(
        "gitlab:index/projectJobTokenScopes:ProjectJobTokenScopes",
        {"project": owner.id, "targetProjectIds": [], "targetGroupIds": [int(other.id)]},
    )
    made.assert_no_drift()
    third = project(gitlab_plugin, f"{unique}-p")
    made.change(targetProjectIds=[int(third.id)], targetGroupIds=[])
    listed = gitlab_community.call("GET", f"projects/{owner.id}/job_token_scope/allowlist")
    assert int(third.id) in {item["id"] for item in listed}
    gitlab_community.call("DELETE", f"projects/{owner.id}/job_token_scope/allowlist/{third.id}")
    assert made.refresh()
    assert made.diff().paths
    made.repair()
    assert made.imported().none
    gitlab_plugin.delete(made.token, made.id, made.state)
    assert not gitlab_community.call("GET", f"projects/{owner.id}/job_token_scope/groups_allowlist")


# -- the paid edition -------------------------------------------------------------------------------------------------


def test_protected_environment(gitlab_premium_plugin: Plugin, gitlab_premium: LiveGitLab, paid: Made) -> None:
    gitlab_premium_plugin.made(ENVIRONMENT, {"project": paid.id, "name": "prod", "stopBeforeDestroy": True})
    made = gitlab_premium_plugin.made(
        PROTECTED_ENVIRONMENT,
        {
            "project": paid.id, "environment": "prod",
            "deployAccessLevelsAttributes": [{"accessLevel": "maintainer"}],
            "approvalRules": [{"accessLevel": "maintainer", "requiredApprovals": 1}],
        },
    )  # fmt: skip
    assert made.id == f"{paid.id}:prod"
    made.assert_no_drift()
    made.change(approvalRules=[{"accessLevel": "maintainer", "requiredApprovals": 2}])
    made.change(deployAccessLevelsAttributes=[{"accessLevel": "developer"}])
    assert made.diff(environment="other").replaces == ("environment",)
    assert made.imported().none
    gitlab_premium.call("DELETE", f"projects/{paid.id}/protected_environments/prod")
    assert made.gone()


def test_push_rules(gitlab_premium_plugin: Plugin, gitlab_premium: LiveGitLab, paid: Made) -> None:
    made = gitlab_premium_plugin.made(
        "gitlab:index/projectPushRules:ProjectPushRules", {"project": paid.id, "preventSecrets": True, "maxFileSize": 5}
    )
    made.assert_no_drift()
    made.change(commitMessageRegex="^[A-Z]")
    gitlab_premium.call("PUT", f"projects/{paid.id}/push_rule", max_file_size=50)
    made.assert_drift("maxFileSize")
    made.repair()
    assert made.imported().none
    made.remove()


def test_the_community_edition_has_no_push_rules(gitlab_plugin: Plugin, owner: Made) -> None:
    news, _ = gitlab_plugin.check("gitlab:index/projectPushRules:ProjectPushRules", {"project": owner.id})
    with pytest.raises(PluginFailure, match="push rules"):
        gitlab_plugin.create("gitlab:index/projectPushRules:ProjectPushRules", news)


def test_approvals(gitlab_premium_plugin: Plugin, gitlab_premium: LiveGitLab, paid: Made) -> None:
    settings = gitlab_premium_plugin.made(
        "gitlab:index/projectLevelMrApprovals:ProjectLevelMrApprovals",
        {"project": paid.id, "resetApprovalsOnPush": True, "mergeRequestsAuthorApproval": False},
    )
    settings.assert_no_drift()
    settings.change(disableOverridingApproversPerMergeRequest=True)
    gitlab_premium.call("POST", f"projects/{paid.id}/approvals", reset_approvals_on_push=False)
    settings.assert_drift("resetApprovalsOnPush")
    settings.repair()
    assert settings.imported().none
    person = user(gitlab_premium_plugin, f"{paid.state['name']}-a")
    gitlab_premium.call("POST", f"projects/{paid.id}/members", user_id=int(person.id), access_level=40)
    rule = gitlab_premium_plugin.made(
        "gitlab:index/projectApprovalRule:ProjectApprovalRule",
        {"project": paid.id, "name": "Owners", "approvalsRequired": 1, "userIds": [int(person.id)]},
    )
    rule.assert_no_drift()
    rule.change(approvalsRequired=2)
    rule.change(userIds=None)
    assert rule.imported().none
    rule.remove()
    gitlab_premium_plugin.delete(settings.token, settings.id, settings.state)


# -- functions --------------------------------------------------------------------------------------------------------


def test_functions(gitlab_plugin: Plugin, unique: str) -> None:
    def ask(function: str, **args: Any) -> Any:
        return gitlab_plugin.invoke(f"gitlab:index/{function}:{function}", **args)

    holder = group(gitlab_plugin, f"{unique}-g", description="d")
    person = user(gitlab_plugin, unique)
    found = ask("getGroup", fullPath=f"{unique}-g")
    assert (found["groupId"], found["description"], found["id"]) == (int(holder.id), "d", holder.id)
    assert ask("getUser", username=unique)["userId"] == int(person.id)
    assert ask("getUser", email=f"{unique}@example.org")["username"] == unique
    assert [item["username"] for item in ask("getUsers", search=unique)["users"]] == [unique]
    identity = {"userId": int(person.id), "externalProvider": "openid_connect", "externalUid": f"{unique}-uid"}
    gitlab_plugin.made("gitlab:index/userIdentity:UserIdentity", identity)
    known = ask("getUsers", externProvider="openid_connect", externUid=f"{unique}-uid")["users"]
    assert [int(item["id"]) for item in known] == [int(person.id)]
    # Another user can have this display name, which is not unique.
    assert ask("getUsers", externProvider="openid_connect", externUid=unique)["users"] == []
    with pytest.raises(PluginFailure, match="404"):
        ask("getGroup", fullPath=f"{unique}/none")
    (owner,) = ask("getGroupMembership", fullPath=f"{unique}-g")["members"]
    assert (owner["username"], owner["accessLevel"]) == ("root", "owner")
    variable = {"group": holder.id, "key": "TAG", "value": "v1"}
    gitlab_plugin.made("gitlab:index/groupVariable:GroupVariable", variable)
    asked = {"group": f"{unique}-g", "key": "TAG", "environmentScope": "*"}
    found = ask("getGroupVariable", **asked)
    assert (found["value"], found["group"], found["id"]) == ("v1", f"{unique}-g", f"{unique}-g:TAG:*")
    with pytest.raises(PluginFailure, match="404"):
        ask("getGroupVariable", **{**asked, "key": "NONE"})
    with pytest.raises(PluginFailure, match="couldn't find a user"):
        ask("getUser", username=f"{unique}-none")
    with pytest.raises(PluginFailure, match="one and only one"):
        ask("getGroup")


def test_package_protection_rule(gitlab_plugin: Plugin, gitlab_community: LiveGitLab, owner: Made) -> None:
    given = {"project": owner.id, "packageNamePattern": "*", "packageType": "npm", "minimumAccessLevelForPush": "admin"}
    made = gitlab_plugin.made(PACKAGE_RULE, given)
    (rule,) = gitlab_community.call("GET", f"projects/{owner.id}/packages/protection/rules")
    assert (made.id, made.state["packageProtectionRuleId"]) == (f"{owner.id}:{rule['id']}", rule["id"])
    made.assert_no_drift()
    made.change(minimumAccessLevelForPush="maintainer", minimumAccessLevelForDelete="owner")
    assert made.diff(packageType="pypi").replaces == ("packageType",)
    path = f"projects/{owner.id}/packages/protection/rules/{rule['id']}"
    gitlab_community.call("PATCH", path, minimum_access_level_for_push="owner")
    made.assert_drift("minimumAccessLevelForPush")
    made.repair()
    assert made.imported().none
    with pytest.raises(PluginFailure, match=r"Unable to create package protection rule: .*422.*already been taken"):
        gitlab_plugin.made(PACKAGE_RULE, given)
    gitlab_community.call("DELETE", path)
    assert made.gone()


def test_a_package_protection_rule_needs_a_level(gitlab_plugin: Plugin, owner: Made) -> None:
    rule = {"project": owner.id, "packageNamePattern": "*", "packageType": "npm"}
    with pytest.raises(PluginFailure, match=r"minimum_access_level_for_delete\] must be specified"):
        gitlab_plugin.made(PACKAGE_RULE, rule)
    _, failures = gitlab_plugin.check(PACKAGE_RULE, {**rule, "minimumAccessLevelForPush": "developer"})
    assert "must be one of" in str(failures)
