# ruff: noqa: ANN401 - JSON answers have any type
"""Users."""

from __future__ import annotations

from typing import Any, Literal

from lab.standins.gitlab import removal, users
from lab.standins.gitlab.errors import ApiError, not_found, parameter, refused
from lab.standins.gitlab.params import Bool, Int, Paging, Params, Text
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.seed import new_user
from lab.standins.gitlab.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("users")


class UserParams(Params):
    """Parameters of creation and update."""

    admin: Bool = None
    auditor: Bool = None
    bio: Text = None
    can_create_group: Bool = None
    color_scheme_id: Int = None
    commit_email: Text = None
    discord: Text = None
    extern_uid: Text = None
    external: Bool = None
    github: Text = None
    job_title: Text = None
    linkedin: Text = None
    location: Text = None
    note: Text = None
    organization: Text = None
    private_profile: Bool = None
    projects_limit: Int = None
    pronouns: Text = None
    provider: Text = None
    public_email: Text = None
    theme_id: Int = None
    twitter: Text = None
    view_diffs_file_by_file: Bool = None
    website_url: Text = None


class NewUser(UserParams):
    """Parameters of a new user."""

    email: str
    name: str
    username: str
    password: Text = None
    reset_password: Bool = None
    force_random_password: Bool = None
    skip_confirmation: Bool = None
    at_least_one = ("password", "reset_password", "force_random_password")


class ChangedUser(UserParams):
    """Parameters of an update."""

    email: Text = None
    name: Text = None
    username: Text = None
    password: Text = None
    skip_reconfirmation: Bool = None


class UserFilter(Paging):
    """Filter of users."""

    username: Text = None
    search: Text = None
    extern_uid: Text = None
    provider: Text = None
    active: Bool = None
    blocked: Bool = None
    external: Bool = None
    admins: Bool = None
    humans: Bool = None
    without_project_bots: Bool = None
    exclude_internal: Bool = None
    order_by: Literal["id", "name", "username", "created_at", "updated_at"] = "id"
    sort: Literal["asc", "desc"] = "desc"


@router.get("/user", scopes=("read_user",))
@needed_by(Need.PLUGINS, Need.INVENTORY)
def current_user(call: Call) -> Any:
    """Return the caller."""
    return users.whole(call.site, call.user)


@router.get("/users", scopes=("read_user",))
@needed_by(Need.LOOKUP, Need.INVENTORY, Need.CHAIN, Need.PEOPLE)
def list_users(call: Call, given: UserFilter) -> Any:
    """List the users, newest first; administrators see all of them."""
    if bool(given.extern_uid) != bool(given.provider):
        missing = "provider" if given.extern_uid else "extern_uid"
        raise parameter(f"{missing} is missing")

    def wanted(user: Document) -> bool:
        identities = [(one["provider"], one["extern_uid"]) for one in user.get("identities", [])]
        text = (given.search or "").lower()
        return all(
            (
                given.username is None or user["username_key"] == given.username.lower(),
                not text or text in user["username_key"] or text in user["name"].lower() or text == user["email_key"],
                not given.extern_uid or (given.provider, given.extern_uid) in identities,
                not given.active or user["state"] == "active",
                not given.blocked or user["state"] == "blocked",
                not given.external or user["external"],
                not given.admins or user["is_admin"],
                not (given.humans or given.without_project_bots) or not user["bot"],
            )
        )

    found = [user for user in call.store.find("user") if wanted(user)]
    by = "username_key" if given.order_by == "username" else given.order_by
    found.sort(key=lambda user: (str(user.get(by) or user["created_at"]) if by != "id" else "", user["id"]))
    if given.sort == "desc":
        found.reverse()
    admin = call.is_admin
    return call.page(found, given, lambda user: (users.whole if admin else users.basic)(call.site, user))


@router.get("/users/{id}", scopes=("read_user",))
@needed_by(Need.PLUGINS)
def get_user(call: Call, id: int) -> Any:
    """Return one user."""
    user = _user(call, id)
    mine = call.is_admin or call.user["id"] == id
    return (users.whole if mine else users.public)(call.site, user)


@router.post("/users")
@needed_by(Need.PLUGINS)
def create_user(call: Call, given: NewUser) -> Any:
    """Create a user. Passwords are not stored, because users cannot sign in here."""
    admin = call.require_admin()
    users.check(call.site, given.sent())
    content = {**users.ATTRIBUTES, **_attributes(given)}
    user = new_user(
        call.site,
        username=given.username,
        name=given.name,
        email=given.email,
        **{
            **content,
            "is_admin": bool(given.admin),
            "external": bool(given.external),
            "confirmed_at": now() if given.skip_confirmation else None,
            "created_by_id": admin["id"],
            "identities": [{"provider": given.provider, "extern_uid": given.extern_uid}]
            if given.provider and given.extern_uid
            else [],
        },
    )
    return users.whole(call.site, user)


@router.put("/users/{id}")
@needed_by(Need.PLUGINS)
def update_user(call: Call, id: int, given: ChangedUser) -> Any:
    """Update a user."""
    call.require_admin()
    user = _user(call, id)
    users.check(call.site, given.sent(), but=id)
    changed = {**user, **_attributes(given)}
    if given.admin is not None:
        changed["is_admin"] = given.admin
    for name in ("email", "name", "username"):
        value = getattr(given, name)
        if value is not None:
            changed[name] = value
    changed["external"] = bool(changed["external"])
    changed["email_key"], changed["username_key"] = changed["email"].lower(), changed["username"].lower()
    if given.provider and given.extern_uid:
        others = [one for one in user.get("identities", []) if one["provider"] != given.provider]
        changed["identities"] = [*others, {"provider": given.provider, "extern_uid": given.extern_uid}]
    call.store.put("user", changed)
    namespace = call.store.first("namespace", kind="user", owner_id=id)
    if namespace is not None:
        removal.move(call.site, namespace, path=changed["username"], name=changed["name"])
    return users.whole(call.site, changed)


@router.delete("/users/{id}")
@needed_by(Need.PLUGINS)
def delete_user(call: Call, id: int) -> None:
    """Delete a user with their projects, memberships and tokens."""
    call.require_admin()
    removal.remove_user(call.site, _user(call, id))


@router.delete("/users/{id}/identities/{provider}")
@needed_by(Need.PLUGINS)
def delete_identity(call: Call, id: int, provider: str) -> None:
    """Delete a user's identity at a provider."""
    call.require_admin()
    user = _user(call, id)
    left = [one for one in user.get("identities", []) if one["provider"] != provider]
    if len(left) == len(user.get("identities", [])):
        raise not_found("Identity")
    call.store.put("user", {**user, "identities": left})


def _switch(name: str, to: str, possible: tuple[str, ...], refusal: str) -> None:
    @router.post(f"/users/{{id}}/{name}")
    @needed_by(Need.PLUGINS, trace=name)
    def switch(call: Call, id: int) -> Any:
        """Update the state of a user."""
        call.require_admin()
        user = _user(call, id)
        if user["state"] not in possible or (name in {"block", "ban"} and user["id"] == call.user["id"]):
            raise ApiError(403, {"message": f"403 Forbidden - {refusal}"})
        call.store.put("user", {**user, "state": to})
        return True


_switch("block", "blocked", ("active", "deactivated", "blocked"), "The API initiated user cannot be blocked by the API")
_switch("unblock", "active", ("blocked", "active"), "LDAP blocked users cannot be unblocked by the API")
_switch("activate", "active", ("deactivated", "active"), "A blocked user must be unblocked to be activated")
_switch("deactivate", "deactivated", ("active", "deactivated"), "A blocked user cannot be deactivated by the API")


def _user(call: Call, id_: int) -> Document:
    user = call.store.get("user", id_)
    if user is None:
        raise not_found("User")
    return user


def _attributes(given: UserParams) -> Document:
    sent = {name: value for name, value in given.sent().items() if name in users.ATTRIBUTES}
    if sent.get("projects_limit", 0) is None or (sent.get("projects_limit") or 0) < 0:
        raise refused({"projects_limit": ["must be greater than or equal to 0"]})
    return sent
