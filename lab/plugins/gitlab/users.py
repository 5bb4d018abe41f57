"""Users and the identities they have elsewhere."""

from __future__ import annotations

from typing import Final

from lab.plugins import framework
from lab.plugins.bridge import Resource
from lab.plugins.gitlab.client import GitLab, segment, wait
from lab.plugins.gitlab.common import number, parts
from lab.plugins.planning import Data
from lab.plugins.schema import one_of, resource
from lab.plugins.server import PluginError, refused
from lab.plugins.wire import Properties

# -- users ------------------------------------------------------------------------------------------------------------

USER: Final = resource("gitlab:index/user:User", autoname=("name",)).tuned(
    default={
        "isAdmin": False,
        "canCreateGroup": False,
        "skipConfirmation": True,
        "projectsLimit": 0,
        "isExternal": False,
        "isAuditor": False,
        "state": "active",
    },
    validate={"state": one_of("active", "deactivated", "blocked")},
    # Only of use at creation, and never told: once there is a user a change of it is none.
    suppress={"skipConfirmation": lambda _old, _new, _plan: True},
)
#: Property -> what a change of it sends.
_SENT: Final = {
    "username": "username",
    "name": "name",
    "email": "email",
    "isAdmin": "admin",
    "isAuditor": "auditor",
    "canCreateGroup": "can_create_group",
    "projectsLimit": "projects_limit",
    "isExternal": "external",
    "note": "note",
}
_READ: Final = {
    "username": "username",
    "name": "name",
    "email": "email",
    "isAdmin": "is_admin",
    "isAuditor": "is_auditor",
    "canCreateGroup": "can_create_group",
    "projectsLimit": "projects_limit",
    "isExternal": "external",
    "note": "note",
    "state": "state",
    "namespaceId": "namespace_id",
}
#: (state before, state wanted) -> what to ask for, in order.
_MOVES: Final = {
    ("blocked", "active"): ("unblock",),
    ("deactivated", "active"): ("activate",),
    ("active", "blocked"): ("block",),
    ("deactivated", "blocked"): ("block",),
    ("active", "deactivated"): ("deactivate",),
    ("blocked", "deactivated"): ("unblock", "deactivate"),
}


def _create_user(data: Data, gitlab: GitLab) -> None:
    if not (data.get("password") or data.get("resetPassword") or data.get("forceRandomPassword")):
        raise PluginError("At least one of either password, reset_password or force_random_password must be defined")
    body: Properties = {theirs: data.get(name) for name, theirs in _SENT.items() if name != "isAuditor"}
    body["skip_confirmation"] = data.get("skipConfirmation")
    for name, theirs in (
        ("password", "password"),
        ("resetPassword", "reset_password"),
        ("forceRandomPassword", "force_random_password"),
        ("isAuditor", "auditor"),
    ):
        if data.get(name):
            body[theirs] = data.get(name)
    user = gitlab.post("users", body)
    data.id = str(user["id"])
    _move(gitlab, data.id, "active", data.get("state"))
    _read_user(data, gitlab)


def _move(gitlab: GitLab, user: str, before: str, wanted: str) -> None:
    for step in _MOVES.get((before, wanted), ()):
        gitlab.post(f"users/{user}/{step}")


def _read_user(data: Data, gitlab: GitLab) -> None:
    user = gitlab.find(f"users/{segment(data.id)}")
    if user is None:
        data.id = ""
        return
    for name, theirs in _READ.items():
        data.set(name, user.get(theirs))


def _update_user(data: Data, gitlab: GitLab) -> None:
    body: Properties = {theirs: data.get(name) for name, theirs in _SENT.items() if data.changed(name)}
    if "email" in body:
        body["skip_reconfirmation"] = True
    gitlab.put(f"users/{data.id}", body)
    if data.changed("state"):
        _move(gitlab, data.id, str(data.old("state")), data.get("state"))
    _read_user(data, gitlab)


def _delete_user(data: Data, gitlab: GitLab) -> None:
    gitlab.delete(f"users/{data.id}")
    wait(lambda: gitlab.find(f"users/{data.id}") is None, f"user {data.id} to be deleted")


# -- identities -------------------------------------------------------------------------------------------------------

IDENTITY: Final = framework.resource("gitlab:index/userIdentity:UserIdentity")


def _take_identity(data: Data, user: Properties | None, provider: str) -> bool:
    """Find the identity `provider` keeps of a user; False when there is none."""
    identities = (user or {}).get("identities") or []
    found = next((item for item in identities if item["provider"] == provider), None)
    if user is None or found is None:
        return False
    data.id = f"{user['id']}:{provider}"
    data.set("userId", user["id"])
    data.set("externalProvider", provider)
    data.set("externalUid", found["extern_uid"])
    return True


def _create_identity(data: Data, gitlab: GitLab) -> None:
    body = {"extern_uid": data.get("externalUid"), "provider": data.get("externalProvider")}
    with refused("Unable to create user identity"):
        user = gitlab.put(f"users/{data.get('userId')}", body)
    if not _take_identity(data, user, data.get("externalProvider")):
        raise PluginError(f"Unable to find user identity {data.get('userId')}:{data.get('externalProvider')}")


def _read_identity(data: Data, gitlab: GitLab) -> None:
    user, provider = parts(data.id, "user_id", "external_provider")
    if not _take_identity(data, gitlab.find(f"users/{number(user, 'user id')}"), provider):
        data.id = ""


def _delete_identity(data: Data, gitlab: GitLab) -> None:
    user, provider = parts(data.id, "user_id", "external_provider")
    with refused("Unable to delete user identity provider"):
        gitlab.delete(f"users/{number(user, 'user id')}/identities/{segment(provider)}")


RESOURCES: Final = {
    USER.token: Resource(USER, _create_user, _read_user, _update_user, _delete_user),
    IDENTITY.token: Resource(
        IDENTITY,
        _create_identity,
        _read_identity,
        None,
        _delete_identity,
        customise=framework.replacing("userId", "externalProvider", "externalUid"),
    ),
}
