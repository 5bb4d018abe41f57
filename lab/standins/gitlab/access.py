"""Access levels, also inherited from parent groups and shares, and the lookup of projects and groups by path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lab.standins.gitlab.site import GitLabSite, today
from lab.standins.store import Document

if TYPE_CHECKING:
    from lab.standins.gitlab.actors import Actor

NONE: Final = 0
MINIMAL: Final = 5
GUEST: Final = 10
PLANNER: Final = 15
REPORTER: Final = 20
DEVELOPER: Final = 30
MAINTAINER: Final = 40
OWNER: Final = 50
ADMIN: Final = 60

_LARGEST_ID: Final = 2**63 - 1


def find_project(site: GitLabSite, id_: str | int) -> Document | None:
    """Return a project by number or full path, ignoring case; None if there is none."""
    return _find(site, "project", id_)


def find_group(site: GitLabSite, id_: str | int) -> Document | None:
    """Return a group by number or full path, ignoring case; None if there is none."""
    found = _find(site, "namespace", id_)
    return found if found is not None and found["kind"] == "group" else None


def _find(site: GitLabSite, kind: str, id_: str | int) -> Document | None:
    text = str(id_)
    if text.isascii() and text.isdigit():
        return site.store.get(kind, int(text)) if int(text) <= _LARGEST_ID else None
    return site.store.first(kind, route=text.lower())


def namespace(site: GitLabSite, project: Document) -> Document:
    """Return the group or user namespace of a project."""
    found = site.store.get("namespace", project["namespace_id"])
    if found is None:
        raise LookupError(f"project {project['id']} is in no namespace")
    return found


def lineage(site: GitLabSite, group: Document) -> list[Document]:
    """Return a namespace and its parent groups, innermost first."""
    line, current = [group], group
    while current.get("parent_id"):
        parent = site.store.get("namespace", current["parent_id"])
        if parent is None:
            break
        line.append(parent)
        current = parent
    return line


def descendants(site: GitLabSite, group: Document) -> list[Document]:
    """Return all subgroups at any depth, by id."""
    prefix = group["route"] + "/"
    return [one for one in site.store.find("namespace", kind="group") if one["route"].startswith(prefix)]


def direct_level(site: GitLabSite, user_id: int, kind: str, id_: int) -> int:
    """Return the level of a direct membership in a `group` or `project`; 0 without one or after its end."""
    found = site.store.first("member", source_type=kind, source_id=id_, user_id=user_id)
    if found is None or _over(found):
        return NONE
    return int(found["access_level"])


def _over(document: Document) -> bool:
    return bool(document.get("expires_at")) and document["expires_at"] <= today()


def user_group_level(site: GitLabSite, user_id: int, group: Document) -> int:
    """Return a user's highest level in a group: direct, from parent groups, or by shares."""
    if group["kind"] == "user":
        return OWNER if group["owner_id"] == user_id else NONE
    best = NONE
    for one in lineage(site, group):
        best = max(best, direct_level(site, user_id, "group", one["id"]), _shared(site, user_id, "group", one["id"]))
    return best


def user_project_level(site: GitLabSite, user_id: int, project: Document) -> int:
    """Return a user's highest level in a project."""
    return max(
        direct_level(site, user_id, "project", project["id"]),
        _shared(site, user_id, "project", project["id"]),
        user_group_level(site, user_id, namespace(site, project)),
    )


def _shared(site: GitLabSite, user_id: int, kind: str, id_: int) -> int:
    best = NONE
    for share in site.store.find("share", source_type=kind, source_id=id_):
        group = site.store.get("namespace", share["group_id"])
        if group is None or _over(share):
            continue
        level = max(direct_level(site, user_id, "group", one["id"]) for one in lineage(site, group))
        best = max(best, min(level, share["group_access"]))
    return best


def group_level(site: GitLabSite, actor: Actor | None, group: Document) -> int:
    """Return an actor's level in a group: `ADMIN` for administrators, 0 for no access."""
    if actor is None or actor.user is None:
        return NONE
    return ADMIN if actor.admin else user_group_level(site, actor.user["id"], group)


def project_level(site: GitLabSite, actor: Actor | None, project: Document) -> int:
    """Return an actor's level in a project; a deploy token of it or of a parent group is a reporter."""
    if actor is None:
        return NONE
    if actor.user is None:
        if actor.project_id == project["id"]:
            return REPORTER
        above = {one["id"] for one in lineage(site, namespace(site, project))}
        return REPORTER if actor.group_id in above else NONE
    return ADMIN if actor.admin else user_project_level(site, actor.user["id"], project)


def sees_group(site: GitLabSite, actor: Actor | None, group: Document) -> bool:
    """Whether a group is visible to an actor: by its visibility, a level, or a level in one of its projects."""
    if _open(actor, group["visibility"]) or group_level(site, actor, group) > NONE:
        return True
    if actor is None or actor.user is None:
        return False
    prefix = group["route"] + "/"
    inside = [one for one in site.store.find("namespace", kind="group") if one["route"].startswith(prefix)]
    return any(direct_level(site, actor.user["id"], "group", one["id"]) for one in inside) or any(
        direct_level(site, actor.user["id"], "project", one["id"])
        for one in site.store.find("project")
        if one["route"].startswith(prefix)
    )


def sees_project(site: GitLabSite, actor: Actor | None, project: Document) -> bool:
    """Whether a project is visible to an actor."""
    if not accepts_token(site, actor, project):
        return False
    return _open(actor, project["visibility"]) or project_level(site, actor, project) > NONE


def listed_only(site: GitLabSite, project: Document) -> bool:
    """Whether only jobs of listed projects have access: by the project's setting, or enforced for the instance."""
    return site.enforces_job_token_scope or bool(project.get("inbound_enabled", True))


def lists_project(site: GitLabSite, project: Document, source: Document) -> bool:
    """Whether the token of a job in the project `source` has access to `project`."""
    if project["id"] == source["id"] or not listed_only(site, project):
        return True
    listed = site.store.find("scope_entry", project_id=project["id"])
    above = {one["id"] for one in lineage(site, namespace(site, source))}
    return any(
        one["target_id"] == source["id"] if one["target_type"] == "project" else one["target_id"] in above
        for one in listed
    )


def accepts_token(site: GitLabSite, actor: Actor | None, project: Document) -> bool:
    """Whether a project accepts the actor's job token; True for actors that are not jobs."""
    if actor is None or actor.kind != "job" or project["visibility"] == "public":
        return True
    origin = site.store.get("project", actor.project_id or 0)
    return origin is not None and lists_project(site, project, origin)


def _open(actor: Actor | None, visibility: str) -> bool:
    if visibility == "public":
        return True
    return visibility == "internal" and actor is not None and actor.user is not None and not actor.user["external"]
