"""Members of projects, by user or by group; user groups."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from lab.standins.harbor import bodies, errors, rbac
from lab.standins.harbor.call import Asking, HarborCall, HarborRouter, Id, NameOrId, Pages, done
from lab.standins.harbor.query import Text
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router: Final = HarborRouter(tags=["member"])

_LDAP, _HTTP, _OIDC = 1, 2, 3
_TYPE_OF_MODE: Final = {"ldap_auth": _LDAP, "http_auth": _HTTP, "oidc_auth": _OIDC}


def shown(call: HarborCall, member: Document) -> dict[str, Any]:
    """Return a member as shown in the API."""
    kind = "user" if member["entity_type"] == "u" else "group"
    entity = call.store.get(kind, member["entity_id"]) or {}
    return {
        "id": member["id"],
        "project_id": member["project_id"],
        "entity_name": entity.get("username" if kind == "user" else "group_name", ""),
        "role_name": rbac.ROLE_NAMES[member["role_id"]],
        "role_id": member["role_id"],
        "entity_id": member["entity_id"],
        "entity_type": member["entity_type"],
    }


@router.get("/projects/{project_name_or_id}/members")
@needed_by(Need.LOOKUP, Need.INVENTORY)
def list_members(call: Asking, name: NameOrId, paging: Pages, entityname: Text = "") -> Response:
    """List the members of a project."""
    project = call.project(name, "list", "member")
    items = [shown(call, member) for member in call.store.find("member", project_id=project["id"])]
    wanted = entityname.lower()
    return call.listed([item for item in items if wanted in item["entity_name"].lower()], paging)


@router.post("/projects/{project_name_or_id}/members", status_code=201)
@needed_by(Need.PLUGINS, Need.PEOPLE)
def add_member(call: Asking, name: NameOrId, body: bodies.MemberBody) -> Response:
    """Add a user or a group to a project."""
    project = call.project(name, "create", "member")
    kind, entity = _entity(call, body.member_user or bodies.MemberUserBody(), body.member_group or bodies.GroupBody())
    member = {"project_id": project["id"], "entity_type": kind, "entity_id": entity}
    if call.store.first("member", **member):
        raise errors.conflict("The project member specified already exist")
    if body.role_id not in rbac.ROLES:
        raise errors.bad_request("Failed to update project member, role is not in 1,2,3")
    made = call.store.add("member", {**member, "role_id": body.role_id})
    # Harbor uses the project's reference from the request.
    return call.created(made["id"], under=f"/api/v2.0/projects/{name}/members")


def _entity(call: HarborCall, user: bodies.MemberUserBody, group: bodies.GroupBody) -> tuple[str, int]:
    """Return `u` or `g` and the id, in Harbor's order of precedence. Creates a group if it is unknown."""
    if user.user_id and user.user_id > 0:
        if call.store.get("user", user.user_id) is None:
            raise errors.bad_request(f"Failed to get user {user.user_id}: user {user.user_id} not found")
        return "u", user.user_id
    if group.id and group.id > 0:
        if call.store.get("group", group.id) is None:
            raise errors.bad_request(f"Failed to get group {group.id}: user group {group.id} not found")
        return "g", group.id
    if user.username:
        found = call.store.first("user", username=user.username)
        if found is None:
            raise errors.not_found(f"user {user.username}")
        return "u", int(found["id"])
    if group.ldap_group_dn or group.group_name:
        return "g", _group(call, group)
    raise errors.bad_request("at least one of member_user or member_group must be provided")


def _group(call: HarborCall, group: bodies.GroupBody) -> int:
    kind = _LDAP if group.ldap_group_dn else group.group_type or 0
    wanted = {"ldap_group_dn": group.ldap_group_dn} if group.ldap_group_dn else {"group_name": group.group_name}
    known = call.store.first("group", group_type=kind, **wanted)
    if known:
        return int(known["id"])
    # The authentication mode and not the request determines the kind of a new group.
    ours = _TYPE_OF_MODE.get(str(call.site.settings.get("auth_mode")))
    if ours != _OIDC:
        raise errors.bad_request(f"failed to onboard the group {group.group_name or group.ldap_group_dn}")
    return int(call.site.group(group.group_name or "", ours)["id"])


def _member(call: HarborCall, project: Document, id_: int) -> Document:
    found = call.store.get("member", id_)
    if found is None or found["project_id"] != project["id"]:
        raise errors.not_found(f"project member {id_}")
    return found


@router.get("/projects/{project_name_or_id}/members/{mid}")
@needed_by(Need.PLUGINS)
def get_member(call: Asking, name: NameOrId, mid: Id) -> dict[str, Any]:
    """Return a member."""
    return shown(call, _member(call, call.project(name, "read", "member"), mid))


@router.put("/projects/{project_name_or_id}/members/{mid}")
@needed_by(Need.PLUGINS, Need.PEOPLE)
def update_member(call: Asking, name: NameOrId, mid: Id, body: bodies.RoleBody) -> Response:
    """Update a member's role."""
    member = _member(call, call.project(name, "update", "member"), mid)
    if body.role_id not in rbac.ROLES:
        raise errors.bad_request("Failed to update project member, role is not in 1,2,3")
    call.store.put("member", {**member, "role_id": body.role_id})
    return done()


@router.delete("/projects/{project_name_or_id}/members/{mid}")
@needed_by(Need.PLUGINS, Need.INVENTORY)
def delete_member(call: Asking, name: NameOrId, mid: Id) -> Response:
    """Remove a member."""
    member = _member(call, call.project(name, "delete", "member"), mid)
    call.store.remove("member", member["id"])
    return done()


# -- user groups -------------------------------------------------------------------------------------------------------
