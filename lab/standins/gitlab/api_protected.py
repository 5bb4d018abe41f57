# ruff: noqa: ANN401 - JSON answers have any type
"""Protected branches and tags."""

from __future__ import annotations

from typing import Any

from lab.standins.gitlab import access, protection
from lab.standins.gitlab.errors import conflict, invalid, refused
from lab.standins.gitlab.params import Bool, Hashes, Paging, Params, Text
from lab.standins.gitlab.protection import Level
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("protection")


class NewBranchProtection(Params):
    """Parameters of a new protection."""

    name: str
    push_access_level: Level | None = None
    merge_access_level: Level | None = None
    unprotect_access_level: Level | None = None
    allowed_to_push: Hashes = None
    allowed_to_merge: Hashes = None
    allowed_to_unprotect: Hashes = None
    allow_force_push: Bool = None
    code_owner_approval_required: Bool = None


class ChangedBranchProtection(Params):
    """Parameters of an update."""

    name: Text = None
    allowed_to_push: Hashes = None
    allowed_to_merge: Hashes = None
    allowed_to_unprotect: Hashes = None
    allow_force_push: Bool = None
    code_owner_approval_required: Bool = None


class ProtectionFilter(Paging):
    """Filter of protections."""

    search: Text = None


def _branch(site: GitLabSite, branch: Document) -> Document:
    kinds = ("push_access_levels", "merge_access_levels")
    shown = {name: branch[name] for name in ("id", "name", *kinds, "allow_force_push")}
    if site.enterprise:
        shown |= {name: branch[name] for name in ("unprotect_access_levels", "code_owner_approval_required")}
        return {**shown, "inherited": False}
    # The community edition has no entries for single users and groups here.
    return {**shown, **{kind: [_plain(line) for line in shown[kind]] for kind in kinds}}


def _plain(line: Document) -> Document:
    return {name: value for name, value in line.items() if name not in {"user_id", "group_id"}}


def _one(call: Call, kind: str, project: Document, name: str) -> Document:
    found = call.store.first(kind, project_id=project["id"], name=name)
    if found is None:
        raise refused("404 Not found", 404)
    return found


@router.get("/projects/{id}/protected_branches")
@needed_by(Need.INVENTORY)
def list_branches(call: Call, id: str, given: ProtectionFilter) -> Any:
    """List the protected branches and wildcards."""
    project = call.project(id, access.DEVELOPER)
    found = call.store.find("protected_branch", project_id=project["id"])
    kept = [one for one in found if (given.search or "") in one["name"]]
    return call.page(kept, given, lambda one: _branch(call.site, one))


@router.get("/projects/{id}/protected_branches/{name}")
@needed_by(Need.PLUGINS, Need.LOOKUP)
def get_branch(call: Call, id: str, name: str) -> Any:
    """Return one protected branch or wildcard."""
    return _branch(call.site, _one(call, "protected_branch", call.project(id, access.DEVELOPER), name))


@router.post("/projects/{id}/protected_branches")
@needed_by(Need.PLUGINS)
def protect_branch(call: Call, id: str, given: NewBranchProtection) -> Any:
    """Protect a branch, or all branches that match a wildcard."""
    project = call.project(id, access.MAINTAINER)
    if not given.name.strip():
        raise invalid(name=["can't be blank"])
    if call.store.first("protected_branch", project_id=project["id"], name=given.name):
        raise conflict(f"Protected branch '{given.name}' already exists")

    def lines(name: str) -> list[Document] | None:
        return protection.entries(
            call, f"allowed_to_{name}", getattr(given, f"allowed_to_{name}"), getattr(given, f"{name}_access_level")
        )

    def maintainers() -> list[Document]:
        return [protection.entry(call.site, level=access.MAINTAINER)]

    push, merge, unprotect = lines("push"), lines("merge"), lines("unprotect")
    branch = call.store.add(
        "protected_branch",
        {
            "project_id": project["id"],
            "name": given.name,
            "push_access_levels": maintainers() if push is None else push,
            "merge_access_levels": maintainers() if merge is None else merge,
            "unprotect_access_levels": (maintainers() if call.site.premium else []) if unprotect is None else unprotect,
            "allow_force_push": bool(given.allow_force_push),
            "code_owner_approval_required": bool(given.code_owner_approval_required) and call.site.premium,
            "created_at": now(),
        },
    )
    return _branch(call.site, branch)


@router.patch("/projects/{id}/protected_branches/{name}")
@needed_by(Need.PLUGINS)
def change_branch(call: Call, id: str, name: str, given: ChangedBranchProtection) -> Any:
    """Update a protection."""
    project = call.project(id, access.MAINTAINER)
    branch = _one(call, "protected_branch", project, name)
    for part in ("push", "merge", "unprotect"):
        key = f"{part}_access_levels"
        branch[key] = protection.change(call, f"allowed_to_{part}", branch[key], getattr(given, f"allowed_to_{part}"))
    if given.allow_force_push is not None:
        branch["allow_force_push"] = given.allow_force_push
    if given.code_owner_approval_required is not None and call.site.premium:
        branch["code_owner_approval_required"] = given.code_owner_approval_required
    call.store.put("protected_branch", branch)
    return _branch(call.site, branch)


@router.delete("/projects/{id}/protected_branches/{name}")
@needed_by(Need.PLUGINS, Need.INVENTORY, Need.PEOPLE)
def unprotect_branch(call: Call, id: str, name: str) -> None:
    """Remove a protection."""
    project = call.project(id, access.MAINTAINER)
    call.store.remove("protected_branch", _one(call, "protected_branch", project, name)["id"])


class NewTagProtection(Params):
    """Parameters of a new protection."""

    name: str
    create_access_level: Level | None = None
    allowed_to_create: Hashes = None


def _tag(tag: Document) -> Document:
    return {"name": tag["name"], "create_access_levels": tag["create_access_levels"]}


@router.get("/projects/{id}/protected_tags")
@needed_by(Need.INVENTORY)
def list_tags(call: Call, id: str, given: Paging) -> Any:
    """List the protected tags and wildcards."""
    project = call.project(id, access.DEVELOPER)
    return call.page(call.store.find("protected_tag", project_id=project["id"]), given, _tag)


@router.get("/projects/{id}/protected_tags/{name}")
@needed_by(Need.PLUGINS, Need.LOOKUP)
def get_tag(call: Call, id: str, name: str) -> Any:
    """Return one protected tag or wildcard."""
    return _tag(_one(call, "protected_tag", call.project(id, access.DEVELOPER), name))


@router.post("/projects/{id}/protected_tags")
@needed_by(Need.PLUGINS)
def protect_tag(call: Call, id: str, given: NewTagProtection) -> Any:
    """Protect a tag, or all tags that match a wildcard."""
    project = call.project(id, access.MAINTAINER)
    if not given.name.strip():
        raise invalid(name=["can't be blank"])
    if call.store.first("protected_tag", project_id=project["id"], name=given.name):
        raise conflict(f"Protected tag '{given.name}' already exists")
    lines = protection.entries(call, "allowed_to_create", given.allowed_to_create, given.create_access_level)
    if lines is None:
        lines = [protection.entry(call.site, level=access.MAINTAINER)]
    content = {"project_id": project["id"], "name": given.name, "create_access_levels": lines}
    return _tag(call.store.add("protected_tag", content))


@router.delete("/projects/{id}/protected_tags/{name}")
@needed_by(Need.PLUGINS, Need.INVENTORY)
def unprotect_tag(call: Call, id: str, name: str) -> None:
    """Remove a protection."""
    project = call.project(id, access.MAINTAINER)
    call.store.remove("protected_tag", _one(call, "protected_tag", project, name)["id"])
