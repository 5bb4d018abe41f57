# ruff: noqa: ANN401 - JSON answers have any type
"""Members of groups and projects."""

from __future__ import annotations

from typing import Any, Final, Literal

from lab.standins.gitlab import access, groups, users
from lab.standins.gitlab.errors import conflict, forbidden, invalid, not_found, parameter
from lab.standins.gitlab.params import Bool, Day, Ints, Paging, Params, Text
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import now, today
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("members")

Level = Literal[5, 10, 15, 20, 30, 40, 50, "5", "10", "15", "20", "30", "40", "50"]
_NAMES: Final = {10: "Guest", 15: "Planner", 20: "Reporter", 30: "Developer", 40: "Maintainer", 50: "Owner"}


class MemberFilter(Paging):
    """Filter of members."""

    query: Text = None
    user_ids: Ints = None
    skip_users: Ints = None
    show_seat_info: Bool = None
    state: Literal["awaiting", "active", "created"] | None = None


class NewMember(Params):
    """Parameters of new members: `user_id`, several separated by commas, or `username`."""

    access_level: Level
    user_id: Ints = None
    username: Text = None
    expires_at: Day = None
    invite_source: Text = None
    exactly_one = ("user_id", "username")

    def numbers(self) -> list[int]:
        """Return the users' numbers."""
        return self.user_id or []


class ChangedMember(Params):
    """Parameters of an update."""

    access_level: Level
    expires_at: Day = None


def _source(call: Call, kind: str, id_: str, level: int = access.NONE) -> Document:
    found = call.group(id_) if kind == "group" else call.project(id_)
    if level and (call.group_level(found) if kind == "group" else call.project_level(found)) < level:
        raise forbidden()
    return found


def _above(call: Call, kind: str, source: Document) -> list[Document]:
    space = access.namespace(call.site, source) if kind == "project" else source
    line = access.lineage(call.site, space) if space["kind"] == "group" else []
    return line if kind == "project" else line[1:]


def _shown(call: Call, member: Document) -> Document:
    user = call.store.get("user", member["user_id"]) or {}
    creator = call.store.get("user", member["created_by_id"]) if member.get("created_by_id") else None
    shown = {
        **users.basic(call.site, user),
        "access_level": member["access_level"],
        "created_at": member["created_at"],
        "expires_at": member["expires_at"],
        **({"created_by": users.basic(call.site, creator)} if creator else {}),
        "membership_state": "active",
    }
    if call.is_admin:
        shown["email"] = user["email"]
    if call.site.premium:
        shown["group_saml_identity"] = None
    return shown


def _direct(call: Call, kind: str, id_: int) -> list[Document]:
    found = call.store.find("member", source_type=kind, source_id=id_)
    return [one for one in found if not one["expires_at"] or one["expires_at"] > today()]


def _all(call: Call, kind: str, source: Document) -> list[Document]:
    """Return direct and inherited members, each with the highest level."""
    found = _direct(call, kind, source["id"])
    for group in _above(call, kind, source):
        found += _direct(call, "group", group["id"])
    shares = [(kind, source["id"]), *(("group", group["id"]) for group in _above(call, kind, source))]
    for of, id_ in shares:
        for share in call.store.find("share", source_type=of, source_id=id_):
            for one in _direct(call, "group", share["group_id"]):
                found.append({**one, "access_level": min(one["access_level"], share["group_access"])})
    best: dict[int, Document] = {}
    for one in found:
        known = best.get(one["user_id"])
        if known is None or known["access_level"] < one["access_level"]:
            best[one["user_id"]] = one
    return sorted(best.values(), key=lambda one: one["user_id"])


def _listed(call: Call, found: list[Document], given: MemberFilter) -> Any:
    def wanted(member: Document) -> bool:
        user = call.store.get("user", member["user_id"])
        text = (given.query or "").lower()
        return (
            user is not None
            and (text in user["username_key"] or text in user["name"].lower() or text == user["email_key"])
            and (not given.user_ids or user["id"] in given.user_ids)
            and user["id"] not in (given.skip_users or [])
        )

    # A member's id is the user's number, which is also the key for paging.
    kept = [{**one, "id": one["user_id"]} for one in found if wanted(one)]
    return call.page(kept, given, lambda one: _shown(call, one))


def _one(call: Call, kind: str, source: Document, user_id: int) -> Document:
    found = next((one for one in _direct(call, kind, source["id"]) if one["user_id"] == user_id), None)
    if found is None:
        raise not_found("Member")
    return found


def _add(call: Call, kind: str, id_: str, given: NewMember) -> Any:
    source = _source(call, kind, id_, access.MAINTAINER if kind == "project" else access.OWNER)
    if kind == "project" and any(
        one.get("membership_lock") for one in access.lineage(call.site, access.namespace(call.site, source))
    ):
        raise forbidden()
    if given.username is not None:
        user = call.store.first("user", username_key=given.username.lower())
        chosen = [user] if user else []
    else:
        chosen = [one for number in given.numbers() if (one := call.store.get("user", number))]
        if len(chosen) < len(given.numbers()):
            chosen = []
    if not chosen:
        raise not_found("User")
    for user in chosen:
        _may_grant(call, kind, source, int(given.access_level))
        if call.store.first("member", source_type=kind, source_id=source["id"], user_id=user["id"]):
            raise conflict("Member already exists")
        _check(call, kind, source, user, int(given.access_level), given.expires_at)
        made = call.store.add(
            "member",
            {
                "source_type": kind,
                "source_id": source["id"],
                "user_id": user["id"],
                "access_level": int(given.access_level),
                "expires_at": given.expires_at,
                "created_by_id": call.user["id"],
                "created_at": now(),
            },
        )
    return _shown(call, made) if len(chosen) == 1 else {"status": "success"}


def _check(call: Call, kind: str, source: Document, user: Document, level: int, expires: str | None) -> None:
    if level == access.MINIMAL and not (call.site.premium and kind == "group"):
        raise parameter("access_level does not have a valid value")
    if expires is not None and expires <= today():
        raise invalid(expires_at=["cannot be a date in the past"])
    for group in _above(call, kind, source):
        inherited = access.direct_level(call.site, user["id"], "group", group["id"])
        if inherited > level:
            message = f"should be greater than or equal to {_NAMES[inherited]} inherited membership from group "
            raise invalid(access_level=[message + groups.full_name(call.site, group)])


def _may_grant(call: Call, kind: str, source: Document, level: int) -> None:
    """Raise 403 for a level above the caller's."""
    mine = call.group_level(source) if kind == "group" else call.project_level(source)
    if level > mine:
        raise forbidden()


def _change(call: Call, kind: str, id_: str, user_id: int, given: ChangedMember) -> Any:
    source = _source(call, kind, id_, access.MAINTAINER if kind == "project" else access.OWNER)
    member = _one(call, kind, source, user_id)
    _may_grant(call, kind, source, max(int(given.access_level), member["access_level"]))
    if int(given.access_level) < access.OWNER:
        _keep_an_owner(call, kind, source, member)
    user = call.store.get("user", user_id) or {}
    _check(call, kind, source, user, int(given.access_level), given.expires_at)
    member["access_level"] = int(given.access_level)
    if "expires_at" in given.model_fields_set:
        member["expires_at"] = given.expires_at
    call.store.put("member", member)
    return _shown(call, member)


class MemberRemoval(Params):
    """Parameters of a removal."""

    skip_subresources: Bool = None
    unassign_issuables: Bool = None


def _remove(call: Call, kind: str, id_: str, user_id: int, given: MemberRemoval) -> None:
    source = _source(call, kind, id_)
    member = _one(call, kind, source, user_id)
    mine = call.group_level(source) if kind == "group" else call.project_level(source)
    needed = access.MAINTAINER if kind == "project" else access.OWNER
    if mine < max(needed, member["access_level"]) and user_id != call.user["id"]:
        raise forbidden()
    _keep_an_owner(call, kind, source, member)
    call.store.remove("member", member["id"])
    if kind == "group" and not given.skip_subresources:
        prefix = source["route"] + "/"
        for other in call.store.find("member", user_id=user_id):
            below = call.store.get("namespace" if other["source_type"] == "group" else "project", other["source_id"])
            if below is not None and below["route"].startswith(prefix):
                call.store.remove("member", other["id"])


def _keep_an_owner(call: Call, kind: str, source: Document, member: Document) -> None:
    if kind != "group" or member["access_level"] < access.OWNER or source["parent_id"]:
        return
    owners = [one for one in _direct(call, "group", source["id"]) if one["access_level"] == access.OWNER]
    if len(owners) < 2:  # noqa: PLR2004 - it is the last
        raise forbidden()


def _routes(kind: str) -> None:
    path = f"/{kind}s/{{id}}/members"

    @router.get(path, anonymous=True)
    @needed_by(Need.INVENTORY)
    def list_members(call: Call, id: str, given: MemberFilter) -> Any:
        """List the direct members."""
        source = _source(call, kind, id)
        return _listed(call, sorted(_direct(call, kind, source["id"]), key=lambda one: one["user_id"]), given)

    @router.get(f"{path}/all/{{user_id}}", anonymous=True)
    @needed_by(Need.ISOLATION)
    def get_any_member(call: Call, id: str, user_id: int) -> Any:
        """Return one direct or inherited member."""
        found = next((one for one in _all(call, kind, _source(call, kind, id)) if one["user_id"] == user_id), None)
        if found is None:
            raise not_found("Member")
        return _shown(call, found)

    @router.get(f"{path}/{{user_id}}", anonymous=True)
    @needed_by(Need.PLUGINS, Need.LOOKUP)
    def get_member(call: Call, id: str, user_id: int) -> Any:
        """Return one direct member."""
        return _shown(call, _one(call, kind, _source(call, kind, id), user_id))

    @router.post(path)
    @needed_by(Need.PLUGINS)
    def add_member(call: Call, id: str, given: NewMember) -> Any:
        """Add members."""
        return _add(call, kind, id, given)

    @router.put(f"{path}/{{user_id}}")
    @needed_by(Need.PLUGINS, Need.PEOPLE)
    def change_member(call: Call, id: str, user_id: int, given: ChangedMember) -> Any:
        """Update the level or the expiry date."""
        return _change(call, kind, id, user_id, given)

    @router.delete(f"{path}/{{user_id}}")
    @needed_by(Need.PLUGINS, Need.INVENTORY)
    def remove_member(call: Call, id: str, user_id: int, given: MemberRemoval) -> None:
        """Remove a member."""
        _remove(call, kind, id, user_id, given)


_routes("group")
_routes("project")
