"""Local users, and the current user."""

from __future__ import annotations

import re
from typing import Any, Final

from starlette.responses import Response

from lab.standins.harbor import bodies, errors, secrecy
from lab.standins.harbor.call import Asking, HarborCall, HarborRouter, Id, Pages, done
from lab.standins.harbor.query import Text
from lab.standins.harbor.site import ADMIN_ID, now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router: Final = HarborRouter(tags=["user"])

_MAIL: Final = re.compile(r"[^<>()\[\]\\,;:\s@\"]+@([a-zA-Z0-9-]+\.)+[a-zA-Z]{2,}")
_NOT_IN_NAMES: Final = re.compile(r"[,~#$%]")
_LONGEST_NAME: Final = 255
_LONGEST_COMMENT: Final = 30
_BAD_PASSWORD: Final = secrecy.RULE_TEXT.replace("the secret", "the password or secret")


def shown(user: Document) -> dict[str, Any]:
    """Return a user as shown in the API."""
    body: dict[str, Any] = {
        "user_id": user["id"],
        "username": user["username"],
        "sysadmin_flag": bool(user.get("sysadmin_flag")),
        "admin_role_in_auth": bool(user.get("admin_role_in_auth")),
        "creation_time": user["created"],
        "update_time": user.get("updated", user["created"]),
    }
    body.update({name: user[name] for name in ("email", "realname", "comment") if user.get(name)})
    if user.get("subiss"):
        body["oidc_user_meta"] = {"id": user["id"], "user_id": user["id"], "subiss": user["subiss"]}
    return body


def _user(call: HarborCall, id_: int) -> Document:
    found = call.store.get("user", id_)
    if found is None:
        raise errors.not_found(f"user {id_}")
    return found


def _self(call: HarborCall, id_: int) -> bool:
    return call.person is not None and call.person.user["id"] == id_


@router.get("/users")
@needed_by(Need.INVENTORY)
def list_users(call: Asking, paging: Pages, username: Text = "", email: Text = "") -> Response:
    """List the users, without the initial administrator."""
    call.require_system("list", "user")
    items = [shown(user) for user in call.store.find("user") if user["id"] != ADMIN_ID]
    items = [item for item in items if username in item["username"] and email in item.get("email", "")]
    return call.listed(items, paging)


@router.post("/users", status_code=201)
@needed_by(Need.ISOLATION)
def create_user(call: Asking, body: bodies.UserBody) -> Response:
    """Create a local user, if the authentication mode allows it."""
    mode = call.site.settings.get("auth_mode")
    if mode != "db_auth":
        raise errors.forbidden(f"creating local user is not allowed under auth mode: {mode}")
    call.require_system("create", "user")
    if not secrecy.acceptable(body.password or ""):
        raise errors.bad_request(_BAD_PASSWORD)
    name = body.username or ""
    profile = _profile(body)
    if not name:
        raise errors.bad_request("username with illegal length")
    if _NOT_IN_NAMES.search(name):
        raise errors.bad_request("username contains illegal characters")
    if call.store.first("user", username=name):
        raise errors.conflict(f"user {name} already exists")
    if call.store.first("user", email=profile["email"]):
        raise errors.conflict(f"user with email {profile['email']} already exists")
    made = call.store.add(
        "user",
        {"username": name, **profile, "password": secrecy.hashed(body.password or ""), "sysadmin_flag": False,
         "created": now()},
    )  # fmt: skip
    return call.created(made["id"])


def _profile(body: bodies.UserBody) -> dict[str, str]:
    email, realname, comment = body.email or "", body.realname or "", body.comment or ""
    if not email:
        raise errors.bad_request("email can't be empty")
    if not _MAIL.fullmatch(email):
        raise errors.bad_request("email with illegal format")
    if not 0 < len(realname) <= _LONGEST_NAME:
        raise errors.bad_request("realname with illegal length")
    if _NOT_IN_NAMES.search(realname):
        raise errors.bad_request("realname contains illegal characters")
    if len(comment) > _LONGEST_COMMENT:
        raise errors.bad_request("comment with illegal length")
    return {"email": email, "realname": realname, "comment": comment}


@router.get("/users/current")
@needed_by(Need.LAB, Need.ISOLATION)
def get_current(call: Asking) -> dict[str, Any]:
    """Return the caller, if it is a user."""
    call.require_login()
    if call.person is None:
        raise errors.precondition(f"get current user not available for security context: {call.principal.kind}")
    return shown(call.person.user)


@router.delete("/users/{user_id}")
@needed_by(Need.ISOLATION)
def delete_user(call: Asking, user_id: Id) -> Response:
    """Delete a user and its memberships."""
    call.require_system("delete", "user")
    if _self(call, user_id) or user_id == ADMIN_ID:
        raise errors.forbidden(f"User with ID {user_id} cannot be deleted")
    user = _user(call, user_id)
    for member in call.store.find("member", entity_type="u", entity_id=user["id"]):
        call.store.remove("member", member["id"])
    call.store.remove("user", user["id"])
    return done()


@router.put("/users/{user_id}/sysadmin")
@needed_by(Need.INVENTORY)
def set_admin(call: Asking, user_id: Id, body: bodies.AdminFlag) -> Response:
    """Set whether a user is an administrator."""
    call.require_system("update", "user")
    user = _user(call, user_id)
    call.store.put("user", {**user, "sysadmin_flag": bool(body.sysadmin_flag) or user_id == ADMIN_ID})
    return done()
