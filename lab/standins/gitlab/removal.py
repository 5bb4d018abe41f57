"""Moves and deletes groups, projects and users with all their objects; delayed deletion."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from lab.standins.gitlab import access
from lab.standins.gitlab.site import GitLabSite, today
from lab.standins.store import Document

#: Kinds with a `project_id`, which are deleted with the project.
OF_PROJECT: Final = (
    "approval_rule",
    "approval_settings",
    "deploy_key_project",
    "environment",
    "protected_branch",
    "protected_environment",
    "protected_tag",
    "push_rule",
    "schedule",
    "scope_entry",
)
_OF_SOURCE: Final = ("deploy_token", "member", "share", "variable", "hook")
#: Days until a group or project that is marked for deletion is deleted; the setting `deletion_adjourned_period`.
GRACE_DAYS: Final = 30


def move(site: GitLabSite, space: Document, *, path: str, name: str) -> Document:
    """Change the path and name of a namespace, and the paths of its content. Returns the new namespace."""
    parent = site.store.get("namespace", space["parent_id"]) if space.get("parent_id") else None
    full = f"{parent['full_path']}/{path}" if parent else path
    old = space["route"] + "/"
    changed = {**space, "path": path, "name": name, "full_path": full, "route": full.lower()}
    site.store.put("namespace", changed)
    if changed["full_path"] == space["full_path"]:
        return changed
    for kind in ("namespace", "project"):
        for one in site.store.find(kind):
            if one["route"].startswith(old):
                moved = full + "/" + one["full_path"][len(old) :]
                site.store.put(kind, {**one, "full_path": moved, "route": moved.lower()})
    return changed


def mark_project(site: GitLabSite, project: Document) -> Document:
    """Mark a project for deletion: its name and path change, so they can be used again."""
    suffix = f"-deletion_scheduled-{project['id']}"
    base = project["full_path"].rsplit("/", 1)[0]
    changed = {
        **project,
        "marked_for_deletion_on": today(),
        "path": project["path"] + suffix,
        "name": project["name"] + suffix,
        "full_path": f"{base}/{project['path']}{suffix}",
    }
    changed["route"] = changed["full_path"].lower()
    site.store.put("project", changed)
    return changed


def mark_group(site: GitLabSite, group: Document) -> Document:
    """Mark a group and its content for deletion."""
    suffix = f"-deletion_scheduled-{group['id']}"
    marked = {**group, "marked_for_deletion_on": today()}
    return move(site, marked, path=group["path"] + suffix, name=group["name"] + suffix)


def remove_project(site: GitLabSite, project: Document) -> None:
    """Delete a project."""
    for hook in site.removing:
        hook(site, project)
    if site.repositories is not None:
        site.repositories.remove(project)
    for kind in OF_PROJECT:
        _drop(site, kind, project_id=project["id"])
    _of_source(site, "project", project["id"])
    _drop(site, "scope_entry", target_type="project", target_id=project["id"])
    site.store.remove("project", project["id"])


def remove_group(site: GitLabSite, group: Document) -> None:
    """Delete a group and its content, innermost first."""
    inside = access.descendants(site, group)
    for one in sorted(inside, key=lambda one: -len(one["route"])):
        _remove_empty_group(site, one)
    _remove_empty_group(site, group)


def _remove_empty_group(site: GitLabSite, group: Document) -> None:
    for project in site.store.find("project", namespace_id=group["id"]):
        remove_project(site, project)
    _of_source(site, "group", group["id"])
    _drop(site, "share", group_id=group["id"])
    _drop(site, "scope_entry", target_type="group", target_id=group["id"])
    site.store.remove("namespace", group["id"])


def _of_source(site: GitLabSite, kind: str, id_: int) -> None:
    for token in site.store.find("token", kind=kind, source_id=id_):
        bot = site.store.get("user", token["user_id"])
        if bot is not None:
            remove_user(site, bot)
        site.store.remove("token", token["id"])
    for one in _OF_SOURCE:
        _drop(site, one, source_type=kind, source_id=id_)


def remove_user(site: GitLabSite, user: Document) -> None:
    """Delete a user with projects, memberships and tokens."""
    for space in site.store.find("namespace", kind="user", owner_id=user["id"]):
        _remove_empty_group(site, space)
    _drop(site, "member", user_id=user["id"])
    for token in site.store.find("token", user_id=user["id"]):
        if token["kind"] == "personal":
            site.store.remove("token", token["id"])
        else:  # its project or group still lists it
            site.store.put("token", {**token, "revoked": True})
    site.store.remove("user", user["id"])


def purge(site: GitLabSite) -> None:
    """Delete groups and projects that were marked long enough ago."""
    last = (date.fromisoformat(today()) - timedelta(days=GRACE_DAYS)).isoformat()
    with site.store.transaction():
        for project in site.store.find("project"):
            if (project.get("marked_for_deletion_on") or "9999") < last:
                remove_project(site, project)
        for group in site.store.find("namespace", kind="group"):
            if (group.get("marked_for_deletion_on") or "9999") < last:
                remove_group(site, group)


def _drop(site: GitLabSite, kind: str, **equal: object) -> None:
    for one in site.store.find(kind, **equal):
        site.store.remove(kind, one["id"])
