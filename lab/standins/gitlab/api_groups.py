# ruff: noqa: ANN401 - JSON answers have any type
"""Groups and subgroups."""

from __future__ import annotations

from typing import Any, Literal

from lab.standins.gitlab import access, groups, naming, projects, removal
from lab.standins.gitlab.errors import bad_request, forbidden, invalid, not_found, refused
from lab.standins.gitlab.groups import VISIBILITIES, ChangedGroup, NewGroup, OneGroup, Visibility
from lab.standins.gitlab.params import Bool, Day, DeletionParams, Ints, Paging, Params, Text
from lab.standins.gitlab.projects import ProjectFilter
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("groups")


class GroupFilter(Paging):
    """Filter of groups."""

    search: Text = None
    owned: Bool = None
    all_available: Bool = None
    top_level_only: Bool = None
    skip_groups: Ints = None
    min_access_level: Literal[10, 15, 20, 30, 40, 50, "10", "15", "20", "30", "40", "50"] | None = None
    visibility: Visibility | None = None
    marked_for_deletion_on: Day = None
    active: Bool = None
    archived: Bool = None
    statistics: Bool = None
    order_by: Literal["name", "path", "id", "similarity"] = "name"
    sort: Literal["asc", "desc"] = "asc"


def _filtered(call: Call, found: list[Document], given: GroupFilter) -> Any:
    least = access.OWNER if given.owned else int(given.min_access_level or 0)
    if given.all_available is False and not least:
        least = access.GUEST

    def level(group: Document) -> int:
        # For administrators too, only their memberships count.
        user = call.actor.user if call.actor else None
        return access.user_group_level(call.site, user["id"], group) if user else access.NONE

    text = (given.search or "").lower()
    kept = [
        one
        for one in found
        if access.sees_group(call.site, call.actor, one)
        and (not text or text in one["name"].lower() or text in one["path"].lower() or text in one["route"])
        and not (given.top_level_only and one["parent_id"])
        and one["id"] not in (given.skip_groups or [])
        and (given.visibility is None or one["visibility"] == given.visibility)
        and (given.active is None or given.active is not bool(one.get("marked_for_deletion_on")))
        and (given.marked_for_deletion_on is None or one.get("marked_for_deletion_on") == given.marked_for_deletion_on)
        and (not least or level(one) >= least)
    ]
    by = given.order_by if given.order_by in {"name", "path"} else "id"
    kept.sort(key=lambda one: (one[by].lower() if by != "id" else "", one["id"]), reverse=given.sort == "desc")
    return call.page(kept, given, lambda one: groups.shown(call.site, one))


@router.get("/groups", anonymous=True)
@needed_by(Need.PEOPLE)
def list_groups(call: Call, given: GroupFilter) -> Any:
    """List the groups that are visible to the caller."""
    return _filtered(call, call.store.find("namespace", kind="group"), given)


@router.get("/groups/{id}/subgroups", anonymous=True)
@needed_by(Need.INVENTORY)
def list_subgroups(call: Call, id: str, given: GroupFilter) -> Any:
    """List the direct subgroups."""
    group = call.group(id)
    return _filtered(call, call.store.find("namespace", kind="group", parent_id=group["id"]), given)


@router.get("/groups/{id}/projects", anonymous=True)
@needed_by(Need.INVENTORY)
def list_group_projects(call: Call, id: str, given: ProjectFilter) -> Any:
    """List the projects of a group, with `include_subgroups` also those of its subgroups."""
    group = call.group(id)
    spaces = {group["id"]}
    if given.include_subgroups:
        spaces |= {one["id"] for one in access.descendants(call.site, group)}
    found = [one for one in call.store.find("project") if one["namespace_id"] in spaces]
    if given.with_shared is not False:
        shared = [one["source_id"] for one in call.store.find("share", source_type="project", group_id=group["id"])]
        found += [one for id_ in shared if (one := call.store.get("project", id_)) and one not in found]
    return projects.listed(call, found, given)


@router.get("/groups/{id}", anonymous=True)
@needed_by(Need.PLUGINS, Need.LOOKUP, Need.INVENTORY)
def get_group(call: Call, id: str, given: OneGroup) -> Any:
    """Return one group, with its projects unless `with_projects` is false."""
    return _detailed(call, call.group(id), given.with_projects is not False)


def _detailed(call: Call, group: Document, with_projects: bool) -> Document:
    shown = groups.detailed(call.site, group)
    if call.group_level(group) < access.OWNER:
        del shown["runners_token"]
    if with_projects:
        inside = call.store.find("project", namespace_id=group["id"])
        shown["projects"] = [
            projects.shown(call, one) for one in inside if access.sees_project(call.site, call.actor, one)
        ]
        ids = [one["source_id"] for one in call.store.find("share", source_type="project", group_id=group["id"])]
        shared = [one for id_ in ids if (one := call.store.get("project", id_))]
        shown["shared_projects"] = [projects.shown(call, one) for one in shared]
    return shown


@router.post("/groups")
@needed_by(Need.PLUGINS)
def create_group(call: Call, given: NewGroup) -> Any:
    """Create a group or subgroup; the caller becomes its owner."""
    user = call.user
    parent = None
    if given.parent_id is not None:
        parent = call.group(given.parent_id)
        needed = access.OWNER if parent.get("subgroup_creation_level") == "owner" else access.MAINTAINER
        if call.group_level(parent) < needed:
            raise forbidden()
        if parent.get("marked_for_deletion_on"):
            raise forbidden()
    elif not (call.is_admin or (user.get("can_create_group", True) and not user["external"])):
        raise forbidden()
    content = {
        **groups.ATTRIBUTES,
        **(groups.PREMIUM if call.site.premium else {}),
        **groups.attributes(given, premium=call.site.premium),
        "name": given.name,
        "path": given.path,
        "visibility": given.visibility or "private",
    }
    if wrong := groups.errors(call.site, content, parent):
        raise refused(f"Failed to save group {naming.shown(wrong)}")
    full = f"{parent['full_path']}/{given.path}" if parent else given.path
    group = call.store.add(
        "namespace",
        {
            **content,
            "kind": "group",
            "full_path": full,
            "route": full.lower(),
            "parent_id": parent["id"] if parent else None,
            "created_at": now(),
            "marked_for_deletion_on": None,
        },
    )
    if parent is None or access.user_group_level(call.site, user["id"], parent) < access.OWNER:
        call.store.add(
            "member",
            {
                "source_type": "group",
                "source_id": group["id"],
                "user_id": user["id"],
                "access_level": access.OWNER,
                "expires_at": None,
                "created_by_id": user["id"],
                "created_at": now(),
            },
        )
    return groups.shown(call.site, group)


@router.put("/groups/{id}")
@needed_by(Need.PLUGINS)
def update_group(call: Call, id: str, given: ChangedGroup) -> Any:
    """Update a group; a new path changes the paths of its content."""
    group = call.group(id, access.OWNER)
    changed = {**group, **groups.attributes(given, premium=call.site.premium)}
    name, path = given.name or group["name"], given.path or group["path"]
    changed["visibility"] = given.visibility or group["visibility"]
    parent = call.store.get("namespace", group["parent_id"]) if group["parent_id"] else None
    wrong = groups.errors(call.site, {**changed, "name": name, "path": path}, parent, but=group["id"])
    lower = VISIBILITIES.index(changed["visibility"])
    inside = access.descendants(call.site, group)
    contained = [one for space in [group, *inside] for one in call.store.find("project", namespace_id=space["id"])]
    for what, open_ones in (("projects", contained), ("sub-groups", inside)):
        if any(VISIBILITIES.index(one["visibility"]) > lower for one in open_ones):
            wrong["visibility_level"] = [
                f"{changed['visibility']} is not allowed since this group contains {what} with higher visibility."
            ]
    if wrong:
        raise invalid(**wrong)
    changed = removal.move(call.site, changed, path=path, name=name)
    return _detailed(call, changed, with_projects=True)


@router.delete("/groups/{id}", status=202)
@needed_by(Need.PLUGINS, Need.INVENTORY)
def delete_group(call: Call, id: str, given: DeletionParams) -> Any:
    """Schedule the deletion. Repeated with `permanently_remove` and the path, it deletes a subgroup at once."""
    group = call.group(id, access.OWNER)
    if given.permanently_remove:
        if not group["parent_id"]:
            raise bad_request("`permanently_remove` option is only available for subgroups.")
        if not group.get("marked_for_deletion_on"):
            raise bad_request("Group must be marked for deletion first.")
        if (given.full_path or "").lower() != group["route"]:
            raise bad_request("`full_path` is incorrect. You must enter the complete path for the subgroup.")
        removal.remove_group(call.site, group)
    elif group.get("marked_for_deletion_on"):
        raise bad_request("Group has been already marked for deletion")
    else:
        removal.mark_group(call.site, group)
    return {"message": "202 Accepted"}


class NewShare(Params):
    """Parameters of a share."""

    group_id: int
    group_access: Literal[10, 15, 20, 30, 40, 50, "10", "15", "20", "30", "40", "50"]
    expires_at: Day = None


@router.post("/groups/{id}/share")
@needed_by(Need.PEOPLE, Need.PLUGINS)
def share_group(call: Call, id: str, given: NewShare) -> Any:
    """Share a group with another group."""
    group = call.group(id, access.OWNER)
    _check_hierarchy(call, group, given.group_id)
    add_share(call, "group", group["id"], given)
    return _detailed(call, group, with_projects=True)


@router.delete("/groups/{id}/share/{group_id}")
@needed_by(Need.INVENTORY, Need.PLUGINS)
def unshare_group(call: Call, id: str, group_id: int) -> None:
    """Remove a share."""
    group = call.group(id, access.OWNER)
    remove_share(call, "group", group["id"], group_id)


@router.post("/projects/{id}/share")
@needed_by(Need.PEOPLE, Need.PLUGINS)
def share_project(call: Call, id: str, given: NewShare) -> Any:
    """Share a project with a group."""
    project = call.project(id, access.MAINTAINER)
    space = access.namespace(call.site, project)
    if any(one.get("share_with_group_lock") for one in access.lineage(call.site, space)):
        raise refused("The project sharing with group is disabled")
    _check_hierarchy(call, space, given.group_id)
    share = add_share(call, "project", project["id"], given)
    named = {name: share[name] for name in ("id", "group_id", "group_access", "expires_at")}
    return {**named, "project_id": project["id"]}


@router.delete("/projects/{id}/share/{group_id}")
@needed_by(Need.INVENTORY, Need.PLUGINS)
def unshare_project(call: Call, id: str, group_id: int) -> None:
    """Remove a share."""
    project = call.project(id, access.MAINTAINER)
    remove_share(call, "project", project["id"], group_id)


def _check_hierarchy(call: Call, space: Document, group_id: int) -> None:
    """Raise 404 if the top group allows only groups of its hierarchy, also for administrators."""
    top, other = access.lineage(call.site, space)[-1], call.store.get("namespace", group_id)
    if top.get("prevent_sharing_groups_outside_hierarchy") and (
        other is None or access.lineage(call.site, other)[-1]["id"] != top["id"]
    ):
        raise refused("404 Not Found", 404)


def add_share(call: Call, kind: str, id_: int, given: NewShare) -> Document:
    """Store a share. Raises 404 for a group that is not visible, 409 for an existing share."""
    other = call.group(given.group_id)
    if kind == "group" and other["id"] == id_:
        raise refused("Not Found", 404)
    if call.store.first("share", source_type=kind, source_id=id_, group_id=other["id"]):
        raise refused("Shared group has already been taken" if kind == "group" else "Group already shared", 409)
    content = {"source_type": kind, "source_id": id_, "group_id": other["id"]}
    share = {**content, "group_access": int(given.group_access), "expires_at": given.expires_at}
    return call.store.add("share", share)


def remove_share(call: Call, kind: str, id_: int, group_id: int) -> None:
    """Delete a share. Raises 404 if there is none."""
    share = call.store.first("share", source_type=kind, source_id=id_, group_id=group_id)
    if share is None:
        raise not_found("Group Link" if kind == "project" else "")
    call.store.remove("share", share["id"])
