"""Projects: JSON, lists, and validation."""

from __future__ import annotations

from typing import Final

from lab.standins.gitlab import access, groups, naming, users
from lab.standins.gitlab.groups import VISIBILITIES
from lab.standins.gitlab.paging import Reply
from lab.standins.gitlab.project_params import ATTRIBUTES, FEATURES, PREMIUM, SWITCHES, ProjectFilter
from lab.standins.gitlab.routing import Call
from lab.standins.gitlab.site import GitLabSite
from lab.standins.store import Document

__all__ = ["POLICY", "ProjectFilter", "basic", "errors", "listed", "namespace_shown", "shown"]

#: Default of a container registry's cleanup policy.
POLICY: Final[Document] = {
    "cadence": "1d",
    "enabled": False,
    "keep_n": 10,
    "older_than": "90d",
    "name_regex": ".*",
    "name_regex_keep": None,
}


def namespace_shown(site: GitLabSite, space: Document, whole: bool = False) -> Document:
    """Return a namespace as shown in a project; with `whole`, as shown alone."""
    user = space["kind"] == "user"
    basic_part = {
        "id": space["id"],
        "name": space["name"],
        "path": space["path"],
        "kind": space["kind"],
        "full_path": space["full_path"],
        "parent_id": space["parent_id"],
        "avatar_url": None,
        "web_url": f"{site.url}/{space['full_path']}" if user else f"{site.url}/groups/{space['full_path']}",
    }
    if not whole:
        return basic_part
    members = 1 if user else len(site.store.find("member", source_type="group", source_id=space["id"]))
    return {**basic_part, "members_count_with_descendants": members, "root_repository_size": 0, "plan": "default"}


def basic(site: GitLabSite, project: Document) -> Document:
    """Return a project as shown in other answers."""
    space = access.namespace(site, project)
    names = groups.full_name(site, space)
    return {
        "id": project["id"],
        "description": project["description"],
        "name": project["name"],
        "name_with_namespace": f"{names} / {project['name']}",
        "path": project["path"],
        "path_with_namespace": project["full_path"],
        "created_at": project["created_at"],
        "default_branch": project["default_branch"],
        "tag_list": project["topics"],
        "topics": project["topics"],
        "ssh_url_to_repo": f"git@{site.url.split('://')[-1].split(':')[0]}:{project['full_path']}.git",
        "http_url_to_repo": f"{site.url}/{project['full_path']}.git",
        "web_url": f"{site.url}/{project['full_path']}",
        "readme_url": f"{site.url}/{project['full_path']}/-/blob/{project['default_branch']}/README.md"
        if project.get("readme")
        else None,
        "forks_count": 0,
        "avatar_url": None,
        "star_count": 0,
        "last_activity_at": project.get("last_activity_at") or project["created_at"],
        "visibility": project["visibility"],
        "namespace": namespace_shown(site, space),
    }


def shown(call: Call, project: Document) -> Document:
    """Return a project with all its fields."""
    site = call.site
    url = f"{site.url}/api/v4/projects/{project['id']}"
    space = access.namespace(site, project)
    level = call.project_level(project)
    features = {
        f"{feature}_access_level": project.get(f"{feature}_access_level", default)
        for feature, default in FEATURES.items()
        if feature != "requirements" or site.premium
    }
    switches = {
        switch: features.get(f"{feature}_access_level", "enabled") != "disabled" for switch, feature in SWITCHES.items()
    }
    settings = {**ATTRIBUTES, **(PREMIUM if site.premium else {})}
    role = project.get("ci_pipeline_variables_minimum_override_role", "developer")
    owner = site.store.get("user", space["owner_id"]) if space["kind"] == "user" else None
    origin = site.store.get("project", project.get("forked_from_id") or 0)
    seen = origin is not None and access.sees_project(site, call.actor, origin)
    policy = {**POLICY, **project.get("container_expiration_policy", {})}
    return {
        **basic(site, project),
        "container_registry_image_prefix": f"{site.url.split('://')[-1]}/{project['full_path']}",
        "_links": {
            "self": url,
            "issues": f"{url}/issues",
            "merge_requests": f"{url}/merge_requests",
            "repo_branches": f"{url}/repository/branches",
            "labels": f"{url}/labels",
            "events": f"{url}/events",
            "members": f"{url}/members",
            "cluster_agents": f"{url}/cluster_agents",
        },
        "marked_for_deletion_at": project.get("marked_for_deletion_on"),
        "marked_for_deletion_on": project.get("marked_for_deletion_on"),
        "empty_repo": site.repositories is None or not site.repositories.branches(project),
        "archived": bool(project.get("archived")),
        "owner": users.basic(site, owner) if owner else None,
        **{name: project.get(name, default) for name, default in settings.items()},
        **features,
        **switches,
        "operations_access_level": "enabled",
        "container_expiration_policy": {**policy, "name_regex_delete": policy["name_regex"], "next_run_at": None},
        "emails_disabled": not project.get("emails_enabled", True),
        "public_builds": project.get("public_jobs", True),
        "restrict_user_defined_variables": role != "developer",
        "can_create_merge_request_in": level >= access.REPORTER,
        "service_desk_address": None,
        "creator_id": project["creator_id"],
        "import_url": None,
        "import_type": None,
        "import_status": "none",
        "import_error": None,
        "open_issues_count": len(site.store.find("issue", project_id=project["id"], state="opened")),
        "updated_at": project.get("updated_at") or project["created_at"],
        "ci_job_token_scope_enabled": False,
        "runner_token_expiration_interval": None,
        "runners_token": None,
        "shared_with_groups": groups.shares(site, "project", project["id"]),
        "compliance_frameworks": [],
        "permissions": _permissions(call, project, space),
        **({"forked_from_project": basic(site, origin)} if origin is not None and seen else {}),
        **({"mirror_user_id": None} if site.premium and project.get("mirror") else {}),
    }


def _permissions(call: Call, project: Document, space: Document) -> Document:
    user = call.actor.user if call.actor else None
    if user is None:
        return {"project_access": None, "group_access": None}
    mine = access.direct_level(call.site, user["id"], "project", project["id"])
    above = access.user_group_level(call.site, user["id"], space) if space["kind"] == "group" else 0
    return {
        "project_access": {"access_level": mine, "notification_level": 3} if mine else None,
        "group_access": {"access_level": above, "notification_level": 3} if above else None,
    }


def errors(site: GitLabSite, content: Document, space: Document, *, but: int | None = None) -> dict[str, list[str]]:
    """Return the errors of a project with this `name`, `path` and `visibility` in a namespace."""
    found: dict[str, list[str]] = {}
    if wrong := naming.name_errors(content["name"], project=True):
        found["name"] = wrong
    if wrong := naming.path_errors(content["path"], project=True):
        found["path"] = wrong
    others = [one for one in site.store.find("project", namespace_id=space["id"]) if one["id"] != but]
    same_name = any(one["name"].lower() == content["name"].lower() for one in others)
    route = f"{space['full_path']}/{content['path']}".lower()
    same_path = any(one["route"] == route for one in others) or site.store.first("namespace", route=route) is not None
    if same_name:
        found["project_namespace.name"] = ["has already been taken"]
        found.setdefault("name", []).append("has already been taken")
    if same_path:
        found.setdefault("path", []).append("has already been taken")
    visibility = content["visibility"]
    if space["kind"] == "group" and VISIBILITIES.index(visibility) > VISIBILITIES.index(space["visibility"]):
        found["visibility_level"] = [f"{visibility} is not allowed in a {space['visibility']} group."]
    timeout = content.get("build_timeout", 3600)
    if not 600 <= timeout < 2_678_400:  # noqa: PLR2004 - GitLab's limits: ten minutes to a month
        found["build_timeout"] = ["needs to be between 10 minutes and 1 month"]
    if len(content.get("ci_config_path") or "") > 255:  # noqa: PLR2004 - GitLab's limit
        found["ci_config_path"] = ["is too long (maximum is 255 characters)"]
    return found


def listed(call: Call, found: list[Document], given: ProjectFilter) -> Reply:
    """Return one page of the projects in `found` that match the filter and are visible."""
    user = call.actor.user if call.actor else None
    least = access.OWNER if given.owned else int(given.min_access_level or 0)
    if given.membership:
        least = max(least, access.GUEST)

    def level(project: Document) -> int:
        return access.user_project_level(call.site, user["id"], project) if user else access.NONE

    text = (given.search or "").lower()
    kept = [
        one
        for one in found
        if access.sees_project(call.site, call.actor, one)
        and (given.archived is None or bool(one.get("archived")) is given.archived)
        and (given.active is None or (bool(one.get("archived") or one.get("marked_for_deletion_on")) != given.active))
        and (given.marked_for_deletion_on is None or one.get("marked_for_deletion_on") == given.marked_for_deletion_on)
        and (given.id_after is None or one["id"] > given.id_after)
        and (given.id_before is None or one["id"] < given.id_before)
        and (not text or text in one["name"].lower() or text in one["path"].lower() or _inside(text, one, given))
        and (given.visibility is None or one["visibility"] == given.visibility)
        and set(given.topic or []) <= set(one["topics"])
        and not given.starred
        and (not least or level(one) >= least)
    ]
    by = {"similarity": "id", "updated_at": "updated_at"}.get(given.order_by, given.order_by)
    if given.pagination == "keyset":
        by = "id"
    kept.sort(
        key=lambda one: (str(one.get(by) or one["created_at"]).lower() if by != "id" else "", one["id"]),
        reverse=given.sort == "desc",
    )
    if given.simple or user is None:
        return call.page(kept, given, lambda one: basic(call.site, one))
    return call.page(kept, given, lambda one: shown(call, one))


def _inside(text: str, project: Document, given: ProjectFilter) -> bool:
    return bool(given.search_namespaces) and text in project["route"]
