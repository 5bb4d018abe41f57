# ruff: noqa: ANN401 - JSON answers have any type
"""Projects."""

from __future__ import annotations

from typing import Any

from lab.standins.gitlab import access, naming, projects, protection, removal
from lab.standins.gitlab.errors import ApiError, bad_request, forbidden, invalid, not_found, refused
from lab.standins.gitlab.params import Bool, DeletionParams, Params
from lab.standins.gitlab.project_params import ChangedProject, NewProject, ProjectFilter, attributes
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("projects")

_OVERRIDE = "ci_pipeline_variables_minimum_override_role"


class OneProject(Params):
    """Parameters of a read."""

    statistics: Bool = None
    license: Bool = None
    with_custom_attributes: Bool = None


@router.get("/projects", anonymous=True)
@needed_by(Need.PEOPLE)
def list_projects(call: Call, given: ProjectFilter) -> Any:
    """List the projects that are visible to the caller."""
    return projects.listed(call, call.store.find("project"), given)


@router.get("/projects/{id}", anonymous=True, job_token=True)
@needed_by(Need.PLUGINS, Need.LOOKUP, Need.INVENTORY)
def get_project(call: Call, id: str, given: OneProject) -> Any:
    """Return one project."""
    project = call.project(id)
    if call.actor is None:
        return projects.basic(call.site, project)
    shown = projects.shown(call, project)
    if given.statistics and call.project_level(project) >= access.REPORTER:
        names = ("storage", "repository", "wiki", "lfs_objects", "job_artifacts", "packages", "snippets", "uploads")
        shown["statistics"] = {"commit_count": 0, **{f"{name}_size": 0 for name in names}}
    return shown


@router.post("/projects")
@needed_by(Need.PLUGINS)
def create_project(call: Call, given: NewProject) -> Any:
    """Create a project, by default in the user's own namespace."""
    user = call.user
    space = _target(call, user, given.namespace_id)
    name = given.name or given.path or ""
    content = {
        "description": None,
        "topics": [],
        **attributes(given, premium=call.site.premium),
        "name": name,
        "path": given.path or naming.path_from(name),
        "visibility": given.visibility or "private",
    }
    if wrong := projects.errors(call.site, content, space):
        raise invalid(**wrong)
    if content["visibility"] == "public":
        content.setdefault("pages_access_level", "enabled")
    full = f"{space['full_path']}/{content['path']}"
    project = call.store.add(
        "project",
        {
            **content,
            "namespace_id": space["id"],
            "full_path": full,
            "route": full.lower(),
            "default_branch": given.default_branch or _inherited_branch(call, space),
            "creator_id": user["id"],
            "archived": False,
            "readme": bool(given.initialize_with_readme),
            "created_at": now(),
            "marked_for_deletion_on": None,
        },
    )
    if space["kind"] == "user" or access.user_group_level(call.site, user["id"], space) < access.MAINTAINER:
        owner = int(space.get("owner_id") or user["id"])
        level = access.OWNER if space["kind"] == "user" else access.MAINTAINER
        if space["kind"] == "user" or not call.is_admin:
            _join(call, project, owner, level, user["id"])
    if call.site.repositories is not None:
        files = {"README.md": f"# {name}\n"} if given.initialize_with_readme else None
        call.site.repositories.create(project, files, user)
        if files:
            protection.protect_default_branch(call.site, project)
    for hook in call.site.created:
        hook(call.site, project)
    return projects.shown(call, project)


def _target(call: Call, user: Document, id_: int | None) -> Document:
    if id_ is None:
        own = call.store.first("namespace", kind="user", owner_id=user["id"])
        if own is None:
            raise invalid(namespace=["is not valid"])
        return own
    space = call.store.get("namespace", id_)
    if space is None or (space["kind"] == "group" and not access.sees_group(call.site, call.actor, space)):
        raise not_found("Namespace")
    level = call.group_level(space)
    needed = {"noone": access.ADMIN, "administrator": access.ADMIN, "owner": access.OWNER}.get(
        space.get("project_creation_level", "owner" if space["kind"] == "user" else "developer"),
        access.MAINTAINER if space.get("project_creation_level") == "maintainer" else access.DEVELOPER,
    )
    if level < needed or space.get("marked_for_deletion_on"):
        raise invalid(namespace=["is not valid"])
    return space


def _inherited_branch(call: Call, space: Document) -> str:
    if space["kind"] == "user":
        return "main"
    named = [one["default_branch"] for one in access.lineage(call.site, space) if one.get("default_branch")]
    return str(named[0]) if named else "main"


def _join(call: Call, project: Document, user_id: int, level: int, by: int) -> None:
    content = {"source_type": "project", "source_id": project["id"], "user_id": user_id, "access_level": level}
    call.store.add("member", {**content, "expires_at": None, "created_by_id": by, "created_at": now()})


@router.put("/projects/{id}")
@needed_by(Need.PLUGINS, Need.PEOPLE)
def update_project(call: Call, id: str, given: ChangedProject) -> Any:
    """Update a project."""
    project = call.project(id, access.MAINTAINER)
    if not given.sent():
        raise ApiError(400, {"error": "no parameters to update the project are present"})
    level = call.project_level(project)
    if given.visibility not in {None, project["visibility"]} and level < access.OWNER:
        raise forbidden()
    if given.path not in {None, project["path"]} and level < access.OWNER:
        raise forbidden()
    role = attributes(given, premium=call.site.premium).get(_OVERRIDE, project.get(_OVERRIDE))
    if level < access.OWNER and role != project.get(_OVERRIDE) and "owner" in {role, project.get(_OVERRIDE)}:
        raise refused(f"Changing the restrict_user_defined_variables or {_OVERRIDE} is not allowed")
    changed = {**project, **attributes(given, premium=call.site.premium), "updated_at": now()}
    if "container_expiration_policy" in changed:
        changed["container_expiration_policy"] = {
            **project.get("container_expiration_policy", {}),
            **changed["container_expiration_policy"],
        }
    for name in ("name", "path", "visibility"):
        if getattr(given, name) is not None:
            changed[name] = getattr(given, name)
    space = access.namespace(call.site, project)
    if wrong := projects.errors(call.site, changed, space, but=project["id"]):
        raise invalid(**wrong)
    if given.default_branch not in {None, "", project["default_branch"]}:
        branch = str(given.default_branch)
        if call.site.repositories is not None and (branches := call.site.repositories.branches(project)):
            if branch not in branches:
                message = "Could not set the default branch. Do you have a branch named '{}' in your repository?"
                raise invalid(base=[message.format(branch)])
            call.site.repositories.set_default_branch(project, branch)
        changed["default_branch"] = branch
    changed["full_path"] = f"{space['full_path']}/{changed['path']}"
    changed["route"] = changed["full_path"].lower()
    call.store.put("project", changed)
    return projects.shown(call, changed)


@router.delete("/projects/{id}", status=202)
@needed_by(Need.PLUGINS, Need.INVENTORY)
def delete_project(call: Call, id: str, given: DeletionParams) -> Any:
    """Schedule the deletion. Repeated with `permanently_remove` and the path, it deletes at once."""
    project = call.project(id, access.OWNER)
    if given.permanently_remove:
        if not project.get("marked_for_deletion_on"):
            raise bad_request("Project must be marked for deletion first.")
        if (given.full_path or "").lower() != project["route"]:
            raise bad_request("`full_path` is incorrect. You must enter the complete path for the project.")
        removal.remove_project(call.site, project)
    elif project.get("marked_for_deletion_on"):
        raise bad_request("Project has been already marked for deletion")
    else:
        removal.mark_project(call.site, project)
    return {"message": "202 Accepted"}


@router.post("/projects/{id}/archive")
@needed_by(Need.PLUGINS)
def archive_project(call: Call, id: str) -> Any:
    """Archive a project, which makes it read-only."""
    return _archive(call, id, archived=True)


@router.post("/projects/{id}/unarchive")
@needed_by(Need.PLUGINS)
def unarchive_project(call: Call, id: str) -> Any:
    """Make an archived project writable again."""
    return _archive(call, id, archived=False)


def _archive(call: Call, id_: str, *, archived: bool) -> Any:
    project = {**call.project(id_, access.OWNER), "archived": archived}
    call.store.put("project", project)
    return projects.shown(call, project)


class Transfer(Params):
    """Parameters of a transfer."""

    namespace: str


@router.put("/projects/{id}/transfer")
@needed_by(Need.PLUGINS)
def transfer_project(call: Call, id: str, given: Transfer) -> Any:
    """Move a project to another namespace, by number or path."""
    project = call.project(id, access.OWNER)
    target = given.namespace
    number = int(target) if target.isascii() and target.isdigit() and len(target) < 19 else 0  # noqa: PLR2004 - fits 64 bits
    space = call.store.get("namespace", number) or call.store.first("namespace", route=target.lower())
    if space is None or call.group_level(space) == access.NONE:
        raise not_found("Namespace")
    if space["id"] == project["namespace_id"]:
        raise bad_request("Project is already in this namespace.")
    if call.group_level(space) < access.MAINTAINER:
        raise bad_request("You don't have permission to transfer projects into that namespace.")
    if projects.errors(call.site, project, space):
        raise bad_request("Project with same name or path in target namespace already exists")
    full = f"{space['full_path']}/{project['path']}"
    changed = {**project, "namespace_id": space["id"], "full_path": full, "route": full.lower()}
    call.store.put("project", changed)
    return projects.shown(call, changed)
