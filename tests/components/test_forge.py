"""Conditions on every tenant's objects in GitLab, Harbor, SonarQube and Vault's pipeline roles, checked on plans."""

from __future__ import annotations

import dataclasses
import datetime
import json
from typing import Any, cast

import pytest
import yaml

from components.gitlab.levels import access_level
from components.gitlab.variables import pipeline_variables, tenant_variables
from model.naming import CATALOGUE_TAG_VARIABLE, catalogue_tag
from model.repository import Mirror
from model.settings import Credential, Edition, GitLabSettings, System
from model.tenant import Dast, ImageSeverity, Quality, Role, State
from pulumi_facts.data_bearing import holds_data
from pulumi_facts.generations import generation_of
from tests import factories
from tests.plans import plan_of
from usine.plan import Plan, PlannedResource, make_plan
from usine.plan.monitor import RecordingMonitor

MIRRORED = dataclasses.replace(
    factories.app("miroir"), mirror=Mirror("https://git.example.fr/x.git", "0 4 * * *", "mirror/x")
)


#: The catalogue and its tag in plans that are made without catalogue files.
CATALOGUE = f"platform/catalogue:{catalogue_tag({})}"


def of(plan: Plan, type_: str, prefix: str = "") -> list[PlannedResource]:
    return [r for r in plan.resources if r.type.endswith(f":{type_}") and r.name.startswith(prefix)]


@pytest.mark.parametrize(
    ("roles", "level"),
    [
        ({Role.DEVOPS: ("x.y",)}, "maintainer"),
        ({Role.DEVELOPER: ("x.y",), Role.READONLY: ("x.y",)}, "developer"),
        ({Role.SECURITY: ("x.y",)}, "reporter"),
        ({}, None),
    ],
)
def test_the_strongest_role_decides_in_gitlab(roles: dict[Role, tuple[str, ...]], level: str | None) -> None:
    assert access_level(factories.tenant(members=roles), "x.y") == level


def test_no_member_of_a_tenant_owns_its_group() -> None:
    levels = {r.inputs["accessLevel"] for r in of(plan_of(factories.tenant()), "GroupMembership", "teleservice/")}
    assert levels == {"maintainer", "developer", "reporter"}


def test_a_suspended_tenant_reads_and_publishes_nothing() -> None:
    plan = plan_of(factories.tenant(state=State.SUSPENDED, repositories=(factories.infra(), MIRRORED)))
    assert {r.inputs["accessLevel"] for r in of(plan, "GroupMembership", "teleservice/")} == {"reporter"}
    assert {r.inputs["name"] for r in of(plan, "RobotAccount")} == {"pull-1"}
    for nothing in ("ProjectAccessToken", "PipelineSchedule", "ProjectAnalysisToken", "TechnicalAccount"):
        assert of(plan, nothing) == []
    assert [r.inputs["users"] for r in of(plan, "ProjectPermissions")] == [{}]
    assert of(plan, "AuthBackendRole", "teleservice/vault/pipelines") == []
    projects = of(plan, "Project", "teleservice/gitlab")
    # CI is not switched off, because GitLab would then refuse environments and variables.
    assert {r.inputs["buildsAccessLevel"] for r in projects} == {"private"}
    assert {r.inputs["ciConfigPath"] for r in projects} == {f"off.yml@{CATALOGUE}"}


def test_an_archived_tenant_keeps_its_data_and_no_access() -> None:
    plan = plan_of(factories.tenant(state=State.ARCHIVED))
    assert len(of(plan, "Project", "teleservice/gitlab")) == 2
    for nothing in (
        "GroupMembership",
        "RobotAccount",
        "ProjectDeployToken",
        "ProjectAnalysisToken",
        "TechnicalAccount",
    ):
        assert of(plan, nothing, "teleservice/") == []
    assert of(plan, "Secret", "teleservice/") == []
    (registry,) = of(plan, "Project", "teleservice/harbor")
    assert registry.inputs["forceDestroy"] is True
    (permissions,) = of(plan, "ProjectPermissions")
    assert permissions.inputs["groups"].keys() == {"sonar-administrators"}  # type: ignore[attr-defined]  # a mapping
    assert permissions.inputs["users"] == {}


def test_sonarqube_groups_have_exactly_the_people_of_the_file() -> None:
    people = {Role.OWNER: ("a.b",), Role.DEVELOPER: ("c.d", "a.b")}
    members = {r.inputs["name"]: r.inputs["members"] for r in of(plan_of(factories.tenant(members=people)), "Group")
               if r.type.startswith("pulumi-python")}  # fmt: skip
    assert members["/teleservice/developer"] == ["a.b", "c.d"]
    assert members["/teleservice/security"] == []
    archived = plan_of(factories.tenant(members=people, state=State.ARCHIVED))
    assert {str(r.inputs["members"]) for r in of(archived, "Group") if r.type.startswith("pulumi-python")} == {"[]"}


def test_analyses_use_a_technical_account_that_may_only_scan() -> None:
    both = factories.settings(credentials=(Credential("1", datetime.date(2027, 1, 31)), Credential("2")))
    plan = plan_of(factories.tenant(), settings=both)
    logins = {r.inputs["login"] for r in of(plan, "TechnicalAccount")}
    assert logins == {"usine.teleservice.1", "usine.teleservice.2"}
    tokens = {r.inputs["login"]: r.inputs.get("expires") for r in of(plan, "ProjectAnalysisToken")}
    assert tokens == {"usine.teleservice.1": "2027-01-31", "usine.teleservice.2": None}
    (permissions,) = of(plan, "ProjectPermissions")
    assert permissions.inputs["users"] == {login: ["scan"] for login in logins}
    without_apps = plan_of(factories.tenant(repositories=(factories.infra(),)))
    assert of(without_apps, "TechnicalAccount") == []


def test_pipelines_are_identified_by_immutable_ids() -> None:
    plan = plan_of(factories.tenant())
    roles = {r.inputs["roleName"]: r.inputs for r in of(plan, "AuthBackendRole", "teleservice/vault/pipelines")}
    assert roles.keys() == {"teleservice.ci", "teleservice.ci.dev", "teleservice.ci.prod", "teleservice.review"}
    group = "[id of teleservice/gitlab/group]"
    projects = ("api", "deploy")
    assert roles["teleservice.ci"]["boundClaims"] == {
        "namespace_id": group,
        "project_id": ",".join(f"[id of teleservice/gitlab/{name}/project]" for name in projects),
        "ref_protected": "true",
        "ref_type": "branch,tag",
        # Without `pipeline`, `parent_pipeline` and `trigger`, which another project's job or a token starts.
        "pipeline_source": "push,web,api,schedule",
    }
    for environment in ("dev", "prod"):
        role = roles[f"teleservice.ci.{environment}"]
        assert role["boundClaims"] == {**roles["teleservice.ci"]["boundClaims"], "environment": environment}
        assert role["tokenPolicies"] == [f"teleservice.ci.{environment}", "teleservice.ci"]
    assert roles["teleservice.review"]["boundClaims"] == {"namespace_id": group}
    for role in roles.values():
        assert role["boundAudiences"] == ["https://vault.example.test"]
        assert role["tokenMaxTtl"] == 3600


def test_where_gitlab_protects_production_its_role_wants_that_in_the_token() -> None:
    settings = factories.settings()
    premium = dataclasses.replace(settings.gitlab, edition=Edition.PREMIUM)
    plan = plan_of(factories.tenant(), settings=dataclasses.replace(settings, gitlab=premium))
    bound = {
        name: claims.get("environment_protected")
        for role in of(plan, "AuthBackendRole", "teleservice/vault/pipelines")
        for name, claims in ((role.inputs["roleName"], cast("dict[str, str]", role.inputs["boundClaims"])),)
    }
    assert {name for name, value in bound.items() if value == "true"} == {"teleservice.ci.prod"}
    (protected,) = of(plan, "ProjectProtectedEnvironment")
    assert protected.name == "teleservice/gitlab/deploy/environment/prod/protection"


def test_the_folder_of_an_environment_is_read_by_its_jobs_only() -> None:
    """Not by those of other environments, of every protected pipeline, or of merge requests."""
    plan = plan_of(factories.tenant())
    found = {str(r.inputs["name"]): str(r.inputs["policy"]) for r in of(plan, "Policy", "teleservice/vault/pipelines")}
    readers = {name for name, text in found.items() if "ci-env/prod" in text or "/data/*" in text}
    assert readers == {"teleservice.ci.prod"}
    assert 'path "teleservice/data/ci-env/prod/*"' in found["teleservice.ci.prod"]


def test_only_protected_pipelines_read_publishing_credentials() -> None:
    plan = plan_of(factories.tenant(repositories=(factories.infra(), MIRRORED)))
    policies = {r.inputs["name"]: str(r.inputs["policy"]) for r in of(plan, "Policy", "teleservice/vault/pipelines")}
    assert "teleservice/data/ci/*" in policies["teleservice.ci"]
    assert "/ci/" not in policies["teleservice.review"]
    # Only the platform's own jobs read these paths.
    for path in ("teleservice/data/operations/*", "teleservice/data/mirror/x"):
        assert {name for name, rules in policies.items() if path in rules} == {"teleservice.operations"}
    paths = {r.inputs["name"] for r in of(plan, "SecretV2", "teleservice/")}
    assert paths == {"ci/registry/push", "review/registry/pull", "operations/mirror/miroir", "ci/quality/miroir"}


def test_no_ci_variable_holds_a_secret() -> None:
    plan = plan_of(factories.tenant(repositories=(factories.app(), factories.infra(), MIRRORED)))
    variables = [r for r in plan.resources if r.type.split(":")[-1] in {"GroupVariable", "ProjectVariable"}]
    assert {r.inputs["key"] for r in variables} == {
        *pipeline_variables(factories.settings()),
        CATALOGUE_TAG_VARIABLE,
        *tenant_variables(factories.tenant()),
        "SONAR_PROJECT_KEY",
        "USINE_DEPLOY_PATH",
        "USINE_ENVIRONMENTS",
        "USINE_VALUE_FILES",
    }
    assert not [r for r in variables if "[secret]" in json.dumps(dict(r.inputs))]


def test_a_tenant_with_generations_of_its_own_has_no_others() -> None:
    own = (Credential("1"), Credential("b"))
    settings = factories.settings(tenant_credentials={factories.tenant().slug: own})
    common = {r.name for r in plan_of(factories.tenant(), settings=factories.settings(credentials=own)).resources}
    assert {r.name for r in plan_of(factories.tenant(), settings=settings).resources} == common
    other = factories.settings(tenant_credentials={"another": own})
    bare = {r.name for r in plan_of(factories.tenant(), settings=factories.settings()).resources}
    assert {r.name for r in plan_of(factories.tenant(), settings=other).resources} == bare


def test_a_new_generation_of_credentials_overlaps_the_old_one() -> None:
    both = factories.settings(credentials=(Credential("1", datetime.date(2027, 1, 31)), Credential("2")))
    plan = plan_of(factories.tenant(), settings=both)
    assert {r.inputs["name"] for r in of(plan, "RobotAccount")} == {"pull-1", "pull-2", "push-1", "push-2"}
    tokens = {r.inputs["name"]: r.inputs.get("expiresAt") for r in of(plan, "ProjectDeployToken")}
    assert tokens == {"argocd-1": "2027-01-31T23:59:59Z", "argocd-2": None}
    # GitLab returns the end with its own UTC offset. This must not replace a token; another end must (issue 11.B3).
    options = {r.inputs["name"]: r.options for r in of(plan, "ProjectDeployToken")}
    assert {one.ignore_changes for one in options.values()} == {("expiresAt",)}
    ends = {name: one.replacement_trigger for name, one in options.items()}
    assert ends["argocd-1"] != ends["argocd-2"]
    assert len(of(plan, "ProjectAnalysisToken")) == 2
    # The new generation does not change the objects of the old one.
    old = {r.name: r.inputs for r in plan_of(factories.tenant(), settings=factories.settings()).resources}
    kept = [r for r in of(plan, "RobotAccount") if r.name.endswith("-1")]
    assert kept
    assert all(r.inputs == old[r.name] for r in kept)
    generations = {r.name: generation_of(r.type, r.name, r.inputs.get("name", "")) for r in plan.resources}
    assert {name for name, generation in generations.items() if generation == "2"} == generations.keys() - old.keys()
    assert sum(generation == "1" for generation in generations.values()) == 5


def test_every_robot_expires_and_has_one_purpose() -> None:
    for robot in of(plan_of(factories.tenant()), "RobotAccount"):
        assert 0 < int(str(robot.inputs["duration"])) < 400
        permission = robot.inputs["permissions"][0]  # type: ignore[index]  # a list of one
        assert permission["namespace"] == "teleservice"
        actions = {access["action"] for access in permission["accesses"]}
        assert actions == ({"pull"} if "pull" in robot.name else {"pull", "push"})


def scheduled() -> Plan:
    quality = Quality("platform", 30, ImageSeverity.HIGH, Dast(("dev",), "0 3 * * 1", credentials="dast/account"))
    return plan_of(factories.tenant(quality=quality, repositories=(factories.infra(), MIRRORED)))


def test_scheduled_work_is_in_a_group_without_tenants_and_owned_by_an_account_without_log_in() -> None:
    plan = scheduled()
    within = "teleservice/gitlab/usine_jobs/"
    (project,) = of(plan, "Project", within)
    assert project.inputs["namespaceId"] == "[id of foundation/gitlab/operations]"
    assert project.inputs["ciPipelineVariablesMinimumOverrideRole"] == "no_one_allowed"
    assert [r.inputs["branch"] for r in of(plan, "BranchProtection", within)] == ["main"]
    # People of the tenant are reporters there and have no other level.
    (share,) = of(plan, "ProjectShareGroup", within)
    assert (share.inputs["groupId"], share.inputs["groupAccess"]) == ("[id of teleservice/gitlab/group]", "reporter")
    members = [r for r in of(plan, "GroupMembership") if "operations" in str(r.inputs["groupId"])]
    assert [r.inputs["userId"] for r in members] == ["[id of foundation/gitlab/operations/account]"]
    (account,) = of(plan, "User", "foundation/gitlab/operations")
    assert (account.inputs["username"], account.inputs.get("isAdmin")) == ("usine_jobs", None)
    assert [r for r in of(plan, "UserIdentity") if "operations" in r.name] == []
    schedules = of(plan, "PipelineSchedule")
    assert {r.inputs["description"]: r.inputs["cron"] for r in schedules} == {
        "mirror-miroir": "0 4 * * *",
        "dast": "0 3 * * 1",
    }
    assert {r.options.provider for r in schedules} == {"gitlab-operations"}
    (owner,) = [r for r in plan.resources if r.is_provider and r.name == "gitlab-operations"]
    assert json.loads(str(owner.inputs["headers"])) == {"Sudo": "usine_jobs"}
    assert of(plan, "PipelineScheduleVariable") == []


def test_the_file_of_scheduled_work_expands_no_variables() -> None:
    (file,) = of(scheduled(), "RepositoryFile", "teleservice/gitlab/usine_jobs/")
    content = yaml.safe_load(str(file.inputs["content"]))
    assert content["include"] == [
        {"project": "platform/catalogue", "ref": catalogue_tag({}), "file": "/operations.yml"}
    ]
    assert content["variables"]["VAULT_TRUSTED_ROLE"]["value"] == "teleservice.operations"
    assert content["mirror-miroir"] == {
        "extends": ".mirror",
        "variables": {
            "MIRROR_SOURCE": {"value": "https://git.example.fr/x.git", "expand": False},
            "MIRROR_TARGET": {"value": "tenants/teleservice/miroir", "expand": False},
            "MIRROR_TARGET_CREDENTIALS": {"value": "operations/mirror/miroir", "expand": False},
            "MIRROR_PUSH_OPTION": {"value": "ci.skip", "expand": False},
            "MIRROR_SOURCE_CREDENTIALS": {"value": "mirror/x", "expand": False},
        },
        "rules": [{"if": '$CI_PIPELINE_SCHEDULE_DESCRIPTION == "mirror-miroir"'}],
    }
    variables = content["dast"]["variables"]
    assert json.loads(variables["USINE_DAST"]["value"])["targets"] == {"dev": "https://dev.example.gouv.fr"}
    assert variables["DAST_CREDENTIALS"]["value"] == "dast/account"
    assert all(value["expand"] is False for value in content["variables"].values())


def test_vault_identifies_scheduled_work_by_its_project() -> None:
    (role,) = [r for r in of(scheduled(), "AuthBackendRole") if r.inputs["roleName"] == "teleservice.operations"]
    assert role.inputs["boundClaims"] == {
        "project_id": "[id of teleservice/gitlab/usine_jobs/project]",
        "ref_protected": "true",
        "ref_type": "branch",
        "ref": "main",
        "pipeline_source": "schedule",
    }
    assert role.inputs["tokenPolicies"] == ["teleservice.operations"]


@pytest.mark.parametrize(("pipelines", "file"), [(False, "off.yml"), (True, "mirror.yml")])
def test_a_mirror_cannot_publish_whatever_its_source_contains(file: str, *, pipelines: bool) -> None:
    mirror = Mirror("https://git.example.fr/x.git", "0 4 * * *", pipelines=pipelines)
    mirrored = dataclasses.replace(factories.app("miroir"), mirror=mirror)
    plan = plan_of(factories.tenant(repositories=(factories.infra(), mirrored)))
    (project,) = of(plan, "Project", "teleservice/gitlab/miroir/")
    assert project.inputs["ciConfigPath"] == f"{file}@{CATALOGUE}"
    assert project.inputs["onlyAllowMergeIfPipelineSucceeds"] is False
    (role,) = [r for r in of(plan, "AuthBackendRole") if r.inputs["roleName"] == "teleservice.ci"]
    assert role.inputs["boundClaims"]["project_id"] == "[id of teleservice/gitlab/deploy/project]"  # type: ignore[index]  # a mapping
    # If a source moves a tag, the mirror moves it too. GitLab refuses a forced update of a protected tag.
    assert of(plan, "TagProtection", "teleservice/gitlab/miroir/") == []
    assert of(plan, "TagProtection", "teleservice/gitlab/deploy/")
    (file_,) = of(plan, "RepositoryFile", "teleservice/gitlab/usine_jobs/")
    assert ("value: ci.skip" in str(file_.inputs["content"])) is not pipelines


def test_no_branch_of_an_infra_repository_can_have_the_full_name_of_a_tag() -> None:
    plan = plan_of(factories.tenant())
    branches = {r.name.split("/")[2]: r.inputs["branch"] for r in of(plan, "BranchProtection", "teleservice/gitlab/")}
    names = [r.inputs["branch"] for r in of(plan, "BranchProtection", "teleservice/gitlab/deploy/")]
    assert (set(names), branches["api"]) == ({"main", "refs/*"}, "main")


@pytest.mark.parametrize("edition", [Edition.FREE, Edition.PREMIUM])
def test_groups_and_projects_cannot_be_shared_forked_or_joined_outside_the_file(edition: Edition) -> None:
    gitlab = dataclasses.replace(factories.settings().gitlab, edition=edition, second_factor=True)
    plan = plan_of(factories.tenant(), settings=factories.settings(gitlab=gitlab))
    groups = {r.name: r.inputs for r in of(plan, "Group") if r.system == "gitlab"}
    root, platform, tenant = (
        groups[name] for name in ("foundation/gitlab/root", "foundation/gitlab/platform", "teleservice/gitlab/group")
    )
    paid = True if edition is Edition.PREMIUM else None
    assert (root["shareWithGroupLock"], root["preventSharingGroupsOutsideHierarchy"]) == (True, True)
    assert (root.get("membershipLock"), root.get("preventForkingOutsideGroup")) == (paid, paid)
    assert (tenant["shareWithGroupLock"], tenant.get("membershipLock")) == (True, paid)
    # The groups of scheduled work below it are shared with the tenants' groups.
    assert (platform["shareWithGroupLock"], platform.get("membershipLock")) == (False, None)
    assert (root["requireTwoFactorAuthentication"], platform["requireTwoFactorAuthentication"]) == (True, True)
    forks = {r.inputs["forkingAccessLevel"] for r in of(plan, "Project", "teleservice/gitlab/")}
    assert forks == {"disabled"}


def test_a_tenant_with_only_mirrors_has_no_publishing_role() -> None:
    plan = plan_of(factories.tenant(repositories=(MIRRORED,)))
    roles = {r.inputs["roleName"] for r in of(plan, "AuthBackendRole", "teleservice/vault/pipelines")}
    assert roles == {"teleservice.review", "teleservice.operations"}


def test_a_tenant_without_scheduled_work_has_no_jobs_project_and_no_operations_provider() -> None:
    plan = plan_of(factories.tenant())
    assert [r.name for r in plan.resources if "usine_jobs" in r.name] == []
    assert "gitlab-operations" not in {r.name for r in plan.resources if r.is_provider}


def test_no_pipeline_accepts_variables() -> None:
    projects = [r for r in scheduled().resources if r.type == "gitlab:index/project:Project"]
    assert len(projects) == 4
    assert {r.inputs["ciPipelineVariablesMinimumOverrideRole"] for r in projects} == {"no_one_allowed"}


def test_the_default_branch_of_every_project_is_protected_by_a_declared_object() -> None:
    plan = scheduled()
    projects = {r.name: r.inputs["defaultBranch"] for r in plan.resources if r.type == "gitlab:index/project:Project"}
    protected = {((r.parent or "").partition("::")[2], r.inputs["branch"]) for r in of(plan, "BranchProtection")}
    assert projects
    assert set(projects.items()) <= protected


def test_the_old_jobs_project_holds_no_data_and_repositories_do() -> None:
    kind = "gitlab:index/project:Project"
    assert not holds_data(kind, "teleservice/gitlab/operations")
    assert not holds_data(kind, "teleservice/gitlab/usine_jobs/project")
    # A repository can have the name `operations`.
    assert holds_data(kind, "teleservice/gitlab/operations/project")
    assert holds_data("gitlab:index/group:Group", "teleservice/gitlab/operations")


def test_premium_features_are_used_with_the_premium_edition_only() -> None:
    kinds = ("ProjectLevelMrApprovals", "ProjectApprovalRule", "ProjectPushRules", "ProjectProtectedEnvironment")
    free = plan_of(factories.tenant())
    assert [kind for kind in kinds if of(free, kind)] == []
    settings = factories.settings(gitlab=GitLabSettings(edition=Edition.PREMIUM, email_domain="example.gouv.fr"))
    premium = plan_of(factories.tenant(), settings=settings)
    assert [kind for kind in kinds if not of(premium, kind)] == []
    assert {r.inputs["environment"] for r in of(premium, "ProjectProtectedEnvironment")} == {"prod"}
    for approvals in of(premium, "ProjectLevelMrApprovals"):
        assert {key: value for key, value in approvals.inputs.items() if isinstance(value, bool)} == {
            "mergeRequestsAuthorApproval": False,
            "mergeRequestsDisableCommittersApproval": True,
            "disableOverridingApproversPerMergeRequest": True,
            "resetApprovalsOnPush": True,
        }


def test_with_approvals_only_mirror_jobs_push_to_protected_branches() -> None:
    settings = factories.settings(gitlab=GitLabSettings(edition=Edition.PREMIUM, email_domain="example.gouv.fr"))
    mirrored = dataclasses.replace(factories.app("copy"), mirror=Mirror("https://git.example.org/x.git", "0 3 * * *"))
    plan = plan_of(factories.tenant(repositories=(factories.app(), mirrored)), settings=settings)
    pushes = {
        r.name: [one["accessLevel"] for one in cast("list[dict[str, str]]", r.inputs["allowedToPushes"])]
        for r in of(plan, "BranchProtection", "teleservice/gitlab/")
    }
    assert pushes["teleservice/gitlab/api/branch/main"] == ["no one"]
    assert pushes["teleservice/gitlab/copy/branch/main"] == ["maintainer"]
    free = plan_of(factories.tenant())
    levels = {r.inputs.get("pushAccessLevel") or "list" for r in of(free, "BranchProtection", "teleservice/gitlab/")}
    assert "no one" not in levels


def test_the_first_commit_starts_no_pipeline() -> None:
    for file in of(plan_of(factories.tenant()), "RepositoryFile", "teleservice/gitlab/"):
        assert "[skip ci]" in str(file.inputs["commitMessage"])


def test_a_registry_without_block_severity_has_no_gate() -> None:
    registry = dataclasses.replace(factories.tenant().registry, block_severity=ImageSeverity.NONE, quota=1)
    (project,) = of(plan_of(factories.tenant(registry=registry)), "Project", "teleservice/harbor")
    assert "deploymentSecurity" not in project.inputs
    assert project.inputs["storageQuota"] == 1


def test_without_gitlab_vault_has_no_pipeline_role() -> None:
    settings = factories.settings(systems=factories.settings().systems - {System.GITLAB})
    plan = plan_of(factories.tenant(), settings=settings)
    assert [r.name for r in of(plan, "AuthBackendRole") if "pipelines" in r.name] == []
    assert [r.name for r in of(plan, "AuthBackend") if "gitlab" in r.name] == []


def test_no_replacement_leaves_a_branch_unprotected(monkeypatch: pytest.MonkeyPatch) -> None:
    first: dict[str, bool] = {}
    register = RecordingMonitor.RegisterResource

    def noting(monitor: RecordingMonitor, request: Any) -> Any:
        first[request.name] = bool(request.deleteBeforeReplace)
        return register(monitor, request)

    monkeypatch.setattr(RecordingMonitor, "RegisterResource", noting)
    gitlab = dataclasses.replace(factories.settings().gitlab, edition=Edition.PREMIUM)
    plan = make_plan(factories.settings(gitlab=gitlab), [factories.tenant()])
    for kind in ("BranchProtection", "TagProtection", "ProjectProtectedEnvironment"):
        assert of(plan, kind)
        assert [r.name for r in of(plan, kind) if not first[r.name]] == []
