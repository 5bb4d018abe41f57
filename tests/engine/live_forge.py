"""The objects in GitLab, Harbor and SonarQube, without ids, times and secrets; see `tests.engine.live`."""

from __future__ import annotations

from typing import Any

import httpx

from lab.testing.platforms import TestLab

_GROUP = ("name", "visibility", "description", "request_access_enabled", "project_creation_level",
          "subgroup_creation_level", "share_with_group_lock")  # fmt: skip
_PROJECT = ("name", "visibility", "description", "default_branch", "ci_config_path", "builds_access_level",
            "only_allow_merge_if_pipeline_succeeds", "request_access_enabled", "packages_enabled",
            "remove_source_branch_after_merge", "archived")  # fmt: skip


def get(client: httpx.Client, path: str, **params: Any) -> Any:
    answer = client.get(path, params=params)
    answer.raise_for_status()
    return answer.json()


def pages(client: httpx.Client, path: str, size: str = "per_page", **params: Any) -> list[Any]:
    items: list[Any] = []
    for page in range(1, 100):
        found = get(client, path, **{size: 100, "page": page, **params}) or []
        items += found
        if len(found) < 100:
            return items
    raise AssertionError(f"{path} has more than a hundred pages")


def gitlab(lab: TestLab) -> dict[str, Any]:
    """Return groups, projects with their settings, and accounts; without objects that are marked for deletion."""
    api = lab.gitlab
    groups: dict[str, Any] = {}
    for group in pages(api, "groups", all_available="true"):
        if group.get("marked_for_deletion_on"):
            continue
        path = f"groups/{group['id']}"
        groups[group["full_path"]] = {
            **{key: group.get(key) for key in _GROUP},
            "members": sorted((m["username"], m["access_level"]) for m in pages(api, f"{path}/members")),
            "variables": sorted((v["key"], v["value"], v["protected"]) for v in pages(api, f"{path}/variables")),
        }
    projects: dict[str, Any] = {}
    for project in pages(api, "projects"):
        if not project.get("marked_for_deletion_on"):
            projects[project["path_with_namespace"]] = _project(api, project)
    users = sorted(
        (u["username"], u["email"], sorted((i["provider"], i["extern_uid"]) for i in u["identities"]))
        for u in pages(api, "users")
        if not u.get("bot")
    )
    return {"groups": groups, "projects": projects, "users": users}


def _project(api: httpx.Client, project: dict[str, Any]) -> dict[str, Any]:
    path = f"projects/{project['id']}"
    schedules = {
        s["description"]: (s["cron"], s["active"], sorted(
            (v["key"], v["value"]) for v in get(api, f"{path}/pipeline_schedules/{s['id']}")["variables"]
        ))
        for s in pages(api, f"{path}/pipeline_schedules")
    }  # fmt: skip
    return {
        **{key: project.get(key) for key in _PROJECT},
        "branches": sorted(
            (b["name"], b["allow_force_push"],
             [level["access_level"] for level in b["push_access_levels"]],
             [level["access_level"] for level in b["merge_access_levels"]])
            for b in pages(api, f"{path}/protected_branches")
        ),
        "tags": sorted(
            (t["name"], [level["access_level"] for level in t["create_access_levels"]])
            for t in pages(api, f"{path}/protected_tags")
        ),
        "environments": sorted((e["name"], e["external_url"], e["tier"]) for e in pages(api, f"{path}/environments")),
        "variables": sorted((v["key"], v["value"]) for v in pages(api, f"{path}/variables")),
        "deploy tokens": sorted((t["name"], *t["scopes"]) for t in pages(api, f"{path}/deploy_tokens", active="true")),
        "access tokens": sorted(
            (t["name"], t["access_level"], *t["scopes"]) for t in pages(api, f"{path}/access_tokens", state="active")
        ),
        "job tokens": len(pages(api, f"{path}/job_token_scope/groups_allowlist")),
        "schedules": schedules,
        "files": sorted(f["path"] for f in pages(api, f"{path}/repository/tree")),
    }  # fmt: skip


def harbor(lab: TestLab) -> dict[str, Any]:
    """Return projects with their settings, and the log-in mode."""
    api = lab.harbor
    projects: dict[str, Any] = {}
    for project in pages(api, "projects", "page_size"):
        if project["name"] == "library":
            continue
        path = f"projects/{project['project_id']}"
        retention = project["metadata"].pop("retention_id", None)
        quota = get(api, "quotas", reference="project", reference_id=project["project_id"])
        robots = pages(api, "robots", "page_size", q=f"Level=project,ProjectID={project['project_id']}")
        projects[project["name"]] = {
            "metadata": project["metadata"],
            "quota": [q["hard"] for q in quota],
            "members": sorted((m["entity_name"], m["role_name"]) for m in pages(api, f"{path}/members", "page_size")),
            "robots": sorted((r["name"], r["duration"], str(r["permissions"][0]["access"])) for r in robots),
            "immutable": sorted(
                s["pattern"]
                for rule in pages(api, f"{path}/immutabletagrules", "page_size")
                for s in rule["tag_selectors"]
            ),
            "retention": [sorted(rule["params"]) for rule in get(api, f"retentions/{retention}")["rules"]]
            if retention
            else None,
        }
    settings = get(api, "configurations")
    login = {key: settings[key]["value"] for key in ("auth_mode", "oidc_endpoint", "project_creation_restriction")}
    return {"projects": projects, "login": login}


def sonarqube(lab: TestLab) -> dict[str, Any]:
    """Return projects with their settings, groups, and quality gates."""
    api = lab.sonarqube
    projects: dict[str, Any] = {}
    for component in get(api, "api/projects/search", ps=500)["components"]:
        key = component["key"]
        permissions = {
            g["name"]: sorted(g["permissions"])
            for g in get(api, "api/permissions/groups", projectKey=key, ps=100)["groups"]
            if g["permissions"]
        }
        projects[key] = {
            "name": component["name"],
            "visibility": component["visibility"],
            "permissions": permissions,
            "gate": get(api, "api/qualitygates/get_by_project", project=key)["qualityGate"]["name"],
            "webhooks": [w["url"] for w in get(api, "api/webhooks/list", project=key)["webhooks"]],
            "period": get(api, "api/new_code_periods/show", project=key).get("value"),
        }
    groups = sorted(
        g["name"] for g in get(api, "api/v2/authorizations/groups", pageSize=500)["groups"] if g["name"].startswith("/")
    )
    gates = {
        g["name"]: sorted((c["metric"], c["op"], c["error"]) for c in
                          get(api, "api/qualitygates/show", name=g["name"])["conditions"])
        for g in get(api, "api/qualitygates/list")["qualitygates"]
        if not g["isBuiltIn"]
    }  # fmt: skip
    users = get(api, "api/v2/users-management/users", pageSize=500)["users"]
    accounts = {
        user["login"]: sorted(
            (t["name"].rsplit("-", 1)[0], t["type"])
            for t in get(api, "api/user_tokens/search", login=user["login"])["userTokens"]
        )
        for user in users
        if user["login"].startswith("usine.")
    }
    return {"projects": projects, "groups": groups, "gates": gates, "accounts": accounts}
