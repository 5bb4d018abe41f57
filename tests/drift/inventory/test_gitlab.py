"""The inventory of GitLab, with fixed answers."""

from __future__ import annotations

from typing import Any

import pytest

from model.settings import Edition, FoundationMode, GitLabSettings, PeopleSource, System
from tests.drift.inventory.api_server import Answers, Refused, Script, serving
from tests.drift.inventory.scanning import names, only, resource, scan
from tests.factories import settings, tenant
from usine.drift.inventory import Inventory, Managed

ACCOUNT = 7
GROUP = {"id": 10, "full_path": "tenants/alpha", "visibility": "private", "shared_with_groups": []}
PROJECT = {"id": 20, "path_with_namespace": "tenants/alpha/deploy", "visibility": "private", "shared_with_groups": []}
STATE = (
    resource("gitlab:index/group:Group", "10", fullPath="tenants/alpha"),
    resource("gitlab:index/project:Project", "20", pathWithNamespace="tenants/alpha/deploy", defaultBranch="main"),
    resource("gitlab:index/groupMembership:GroupMembership", "10:3"),
    resource("gitlab:index/projectVariable:ProjectVariable", "20:KNOWN:*", project="20"),
)
GROUP_LISTS = ("members", "variables", "deploy_tokens", "access_tokens", "runners", "subgroups", "projects")
PROJECT_LISTS = (
    "members", "variables", "deploy_tokens", "access_tokens", "runners", "hooks", "deploy_keys", "triggers",
    "pipeline_schedules", "protected_branches", "protected_tags", "packages/protection/rules", "environments",
)  # fmt: skip


def lists(of: str, *kinds: str) -> dict[str, Any]:
    """Empty lists of a group or a project."""
    return {f"/api/v4/{of}/{kind}": [] for kind in kinds}


EMPTY: dict[str, Any] = {
    "/api/v4/user": {"id": ACCOUNT},
    "/api/v4/users": [{"id": 1, "username": "root"}, {"id": ACCOUNT, "username": "usine"}],
    "/api/v4/groups/10": GROUP,
    "/api/v4/projects/20": PROJECT,
    **lists("groups/2", *GROUP_LISTS),
    **lists("groups/10", *GROUP_LISTS),
    **lists("projects/20", *PROJECT_LISTS),
    "/api/v4/groups/10/projects": [PROJECT],
}


def seen(answers: dict[str, Any], state: tuple[Managed, ...] = STATE, **changes: Any) -> tuple[Inventory, Answers]:
    with serving({**EMPTY, **answers}) as api:
        return scan(only(System.GITLAB, api.url, **changes), state), api


def test_objects_that_gitlab_or_the_platform_creates_are_no_findings() -> None:
    inventory, api = seen(
        {
            "/api/v4/groups/10/members": [
                {"id": 3, "username": "emma.leroy", "access_level": 30},
                {"id": ACCOUNT, "username": "usine", "access_level": 50},
                {"id": 90, "username": "group_10_bot_0a1b", "access_level": 40},
            ],
            "/api/v4/projects/20/members": [{"id": 91, "username": "project_20_bot", "access_level": 40}],
            "/api/v4/groups/10/projects": [PROJECT, {"id": 21, "marked_for_deletion_on": "2026-01-01"}],
            "/api/v4/groups/10/subgroups": [{"id": 11, "full_path": "x", "marked_for_deletion_on": "2026-01-01"}],
            "/api/v4/projects/20/protected_branches": [{"name": "main"}],
            "/api/v4/projects/20/environments": [{"id": 5, "name": "dev"}],  # of a job: none is in the state
            "/api/v4/projects/20/variables": [{"key": "KNOWN", "environment_scope": "*"}],
        }
    )
    assert names(inventory) == set()
    assert api.methods() == {"GET"}


def test_unmanaged_objects_are_found_in_groups_and_projects() -> None:
    inventory, _ = seen(
        {
            "/api/v4/groups/10/members": [
                {"id": 4, "username": "bob.durand", "access_level": 40},
                {"id": 92, "username": "project_99_bot_0a1b", "access_level": 30},  # of a project elsewhere
            ],
            "/api/v4/groups/10/subgroups": [{"id": 11, "full_path": "tenants/alpha/sub", "visibility": "private"}],
            "/api/v4/groups/10": {
                **GROUP,
                "shared_with_groups": [{"group_id": 55, "group_full_path": "others", "group_access_level": 30}],
            },
            "/api/v4/projects/20/variables": [
                {"key": "KNOWN", "environment_scope": "prod", "value": "planted-credential", "masked": True}
            ],
            "/api/v4/projects/20/hooks": [
                {"id": 6, "url": "https://user:planted-credential@evil.example/planted-credential"}
            ],
            "/api/v4/projects/20/deploy_tokens": [
                {"id": 8, "name": "reader", "scopes": ["read_repository"], "expires_at": None}
            ],
            "/api/v4/projects/20/deploy_keys": [{"id": 9, "title": "laptop", "can_push": True}],
            "/api/v4/projects/20/protected_tags": [{"name": "x/y", "create_access_levels": [{"access_level": 30}]}],
            "/api/v4/projects/20/packages/protection/rules": [
                {"id": 3, "package_type": "npm", "package_name_pattern": "*", "minimum_access_level_for_push": "admin"}
            ],
        }
    )
    assert names(inventory) == {
        ("alpha", "GroupMembership", "tenants/alpha: bob.durand"),
        ("alpha", "GroupMembership", "tenants/alpha: project_99_bot_0a1b"),
        ("alpha", "Group", "tenants/alpha/sub"),
        ("alpha", "GroupShareGroup", "tenants/alpha: others"),
        ("alpha", "ProjectVariable", "tenants/alpha/deploy: KNOWN:prod"),
        ("alpha", "ProjectHook", "tenants/alpha/deploy: #6"),
        ("alpha", "ProjectDeployToken", "tenants/alpha/deploy: reader (#8)"),
        ("alpha", "DeployKey", "tenants/alpha/deploy: laptop (#9)"),
        ("alpha", "TagProtection", "tenants/alpha/deploy: x/y"),
        ("alpha", "ProjectPackageProtectionRule", "tenants/alpha/deploy: npm packages * (#3)"),
    }
    by_type = {item.type.rpartition(":")[2]: item for item in inventory.found}
    assert by_type["ProjectVariable"].import_id == "20:KNOWN:prod"
    assert by_type["ProjectHook"].detail == "calls https://evil.example"
    assert by_type["ProjectDeployToken"].detail == "read_repository, for ever"
    assert by_type["DeployKey"].import_id is None
    assert by_type["DeployKey"].detail == "pushes"
    assert by_type["TagProtection"].removal == "DELETE /api/v4/projects/20/protected_tags/x%2Fy"
    assert by_type["ProjectPackageProtectionRule"].detail == "push: admin; delete: maintainer"
    rule = by_type["ProjectPackageProtectionRule"]
    assert (rule.import_id, rule.removal) == ("20:3", "DELETE /api/v4/projects/20/packages/protection/rules/3")
    assert by_type["GroupShareGroup"].import_id == "10:55"
    assert by_type["Group"].holds_data
    assert not by_type["ProjectHook"].holds_data


def test_other_protections_and_environments_are_findings_if_the_state_has_some() -> None:
    state = (
        *STATE,
        resource("gitlab:index/branchProtection:BranchProtection", "20:release", project="20"),
        resource("gitlab:index/projectEnvironment:ProjectEnvironment", "20:5", project="20"),
    )
    branches = [{"name": "main"}, {"name": "release"}]
    environments = [{"id": 5, "name": "dev"}, {"id": 6, "name": "by-hand"}, {"id": 7, "name": "review/of-a-branch"}]
    inventory, _ = seen(
        {"/api/v4/projects/20/protected_branches": branches, "/api/v4/projects/20/environments": environments}, state
    )
    assert names(inventory) == {
        ("alpha", "BranchProtection", "tenants/alpha/deploy: main"),
        ("alpha", "ProjectEnvironment", "tenants/alpha/deploy: by-hand"),
    }


def test_a_group_below_the_root_belongs_to_the_tenant_with_its_slug() -> None:
    state = (*STATE, resource("gitlab:index/group:Group", "2", None, fullPath="tenants"))
    below = [
        {"id": 10, "full_path": "tenants/alpha", "visibility": "private"},
        {"id": 12, "full_path": "tenants/beta", "visibility": "private"},
        {"id": 13, "full_path": "tenants/nobody", "visibility": "public"},
    ]
    answers = {"/api/v4/groups/2": {"id": 2, "full_path": "tenants"}, "/api/v4/groups/2/subgroups": below}
    inventory, _ = seen(answers, state)
    assert names(inventory) == {("beta", "Group", "tenants/beta"), (None, "Group", "tenants/nobody")}
    # A stack of one tenant does not list the root: it reads the path where its own group will be.
    answers = {"/api/v4/groups/tenants/beta": below[1]}
    tenant = {"foundation": FoundationMode.SKIP, "tenants": ("beta",)}
    assert names(seen(answers, (), **tenant)[0]) == {("beta", "Group", "tenants/beta")}


def test_accounts_are_scanned_if_the_foundation_creates_them() -> None:
    users = [
        *EMPTY["/api/v4/users"],
        {"id": 30, "username": "mallory", "is_admin": True},
        {"id": 31, "username": "x.y"},
    ]
    state = (*STATE, resource("gitlab:index/user:User", "31", None))
    inventory, _ = seen({"/api/v4/users": users}, state)
    assert names(inventory) == {(None, "User", "mallory")}
    assert inventory.found[0].detail == "an administrator"
    directory = GitLabSettings(people=PeopleSource.DIRECTORY)
    assert names(seen({"/api/v4/users": users}, state, gitlab=directory)[0]) == set()


@pytest.mark.parametrize("place", ["groups/10", "projects/20"])
def test_a_404_of_a_gitlab_list_is_a_gap_of_the_scan(place: str) -> None:
    for kind in GROUP_LISTS if place.startswith("groups") else PROJECT_LISTS:
        inventory, _ = seen({f"/api/v4/{place}/{kind}": Refused(404)})
        refused = f"GitLab refused GET {place}/{kind}: HTTP 404"
        assert [(gap.tenant, gap.reason) for gap in inventory.gaps] == [("alpha", refused)]


@pytest.mark.parametrize("place", ["groups/10", "projects/20"])
def test_a_group_or_project_deleted_during_the_scan_is_no_finding(place: str) -> None:
    there = GROUP if place.startswith("groups") else PROJECT
    gone = {f"/api/v4/{place}": Script([there, Refused(404)]), f"/api/v4/{place}/variables": Refused(404)}
    assert names(seen(gone)[0]) == set()


def test_lists_of_the_premium_edition_are_read_there_only() -> None:
    rules = {
        **lists("groups/10", "hooks"),
        **lists("projects/20", "protected_environments"),
        "/api/v4/projects/20/approval_rules": [{"id": 1, "name": "Security", "approvals_required": 0}],
    }
    inventory, api = seen(rules)
    assert names(inventory) == set()
    assert not {path for path in api.paths() if path.endswith(("approval_rules", "protected_environments"))}
    premium = GitLabSettings(edition=Edition.PREMIUM)
    assert names(seen(rules, gitlab=premium)[0]) == {
        ("alpha", "ProjectApprovalRule", "tenants/alpha/deploy: Security (#1)")
    }


def test_an_unmanaged_variable_of_a_schedule_is_found() -> None:
    state = (
        *STATE,
        resource("gitlab:index/pipelineSchedule:PipelineSchedule", "20:4", project="20"),
        resource("gitlab:index/pipelineScheduleVariable:PipelineScheduleVariable", "20:4:USINE_JOB", project="20"),
    )
    schedule = {"id": 4, "description": "mirror", "variables": [{"key": "USINE_JOB"}, {"key": "EXTRA", "value": "x"}]}
    inventory, _ = seen({"/api/v4/projects/20/pipeline_schedules/4": schedule}, state)
    assert names(inventory) == {("alpha", "PipelineScheduleVariable", "tenants/alpha/deploy: mirror (#4): EXTRA")}
    assert inventory.found[0].import_id == "20:4:EXTRA"


def test_tenants_of_another_stack_are_not_scanned() -> None:
    state = tuple(item for item in STATE if item.tenant == "alpha")
    chosen = {"foundation": FoundationMode.SKIP, "tenants": ("alpha",)}
    inventory, api = seen({}, state, **chosen)
    assert names(inventory) == set()
    assert "/api/v4/users" not in api.paths()
    assert settings().gitlab.people is PeopleSource.MANAGED
    assert tenant("beta").slug == "beta"


def test_a_project_of_scheduled_work_belongs_to_its_tenant() -> None:
    group = {**GROUP, "full_path": "platform/jobs"}
    projects = [
        {"id": 30 + number, "path_with_namespace": f"platform/jobs/{name}", "visibility": "private"}
        for number, name in enumerate(("alpha", "stranger"))
    ]
    state = (resource("gitlab:index/group:Group", "10", None, fullPath="platform/jobs"),)
    answers = {"/api/v4/groups/10": group, "/api/v4/groups/10/projects": projects}
    inventory, _ = seen(answers, state)
    found = {(item.tenant, item.name) for item in inventory.found if item.type.endswith(":Project")}
    assert found == {("alpha", "platform/jobs/alpha"), (None, "platform/jobs/stranger")}
