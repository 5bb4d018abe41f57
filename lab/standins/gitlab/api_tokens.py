# ruff: noqa: ANN401 - JSON answers have any type
"""Personal, project and group access tokens."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator

from lab.standins.gitlab import access, tokens
from lab.standins.gitlab.errors import ApiError, bad_request, not_found, refused, unauthorized
from lab.standins.gitlab.paging import Reply
from lab.standins.gitlab.params import Bool, Day, Int, Paging, Params, Text
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.seed import ALL_SCOPES
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("access tokens")

_RESOURCE: Final = (
    "api",
    "read_api",
    "read_repository",
    "write_repository",
    "read_registry",
    "write_registry",
    "create_runner",
    "manage_runner",
    "ai_features",
    "k8s_proxy",
    "self_rotate",
)


def _split(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


Scopes = Annotated[list[str], BeforeValidator(_split)]


class NewToken(Params):
    """Parameters of a new project or group token."""

    name: str
    scopes: Scopes
    description: Text = None
    expires_at: Day = None
    access_level: Literal[10, 15, 20, 30, 40, 50, "10", "15", "20", "30", "40", "50"] | None = None


class NewPersonalToken(Params):
    """Parameters of a new user's token."""

    name: str
    scopes: Scopes
    description: Text = None
    expires_at: Day = None


class Rotation(Params):
    """The expiry date of the new token."""

    expires_at: Day = None


class TokenFilter(Paging):
    """Filter of tokens."""

    state: Literal["active", "inactive"] | None = None
    revoked: Bool = None
    search: Text = None
    user_id: Int = None
    created_after: Text = None
    created_before: Text = None
    expires_after: Day = None
    expires_before: Day = None
    last_used_after: Text = None
    last_used_before: Text = None
    sort: Text = None


def _checked(scopes: list[str], allowed: tuple[str, ...]) -> list[str]:
    if not scopes or not set(scopes) <= set(allowed):
        raise ApiError(400, {"error": "scopes does not have a valid value"})
    return list(dict.fromkeys(scopes))


def _listed(call: Call, found: list[Document], given: TokenFilter) -> Any:
    kept = [
        one
        for one in found
        if (given.state is None or tokens.shown(one)["active"] is (given.state == "active"))
        and (given.revoked is None or one["revoked"] is given.revoked)
        and (given.search or "").lower() in one["name"].lower()
        and (given.user_id is None or one["user_id"] == given.user_id)
        and (not given.created_after or one["created_at"] > given.created_after)
        and (not given.created_before or one["created_at"] < given.created_before)
        and (not given.expires_after or (one["expires_at"] or "9999") > given.expires_after)
        and (not given.expires_before or (one["expires_at"] or "9999") < given.expires_before)
        and (not given.last_used_after or (one["last_used_at"] or "") > given.last_used_after)
        and (not given.last_used_before or (one["last_used_at"] or "") < given.last_used_before)
    ]
    return call.page(kept, given, tokens.shown)


# Of projects and groups -----------------------------------------------------------------------------------------------


def _source(call: Call, kind: str, id_: str) -> Document:
    least = tokens.least_level(kind)
    return call.project(id_, least) if kind == "project" else call.group(id_, least)


def _one(call: Call, kind: str, source: Document, token_id: int) -> Document:
    found = call.store.get("token", token_id)
    if found is None or found["kind"] != kind or found["source_id"] != source["id"]:
        raise refused(f"404 Could not find {kind} access token with token_id: {token_id}", 404)
    return found


def _add(call: Call, kind: str, id_: str, given: NewToken) -> Any:
    source = _source(call, kind, id_)
    level = int(given.access_level or access.MAINTAINER)
    mine = call.project_level(source) if kind == "project" else call.group_level(source)
    if level > mine:
        raise bad_request(
            "Access level of the token can't be greater the access level of the user who created the token"
        )
    if call.actor is not None and call.actor.kind in {"project", "group"}:
        raise bad_request("User does not have permission to create " + kind + " access token")
    if not given.name.strip():
        raise bad_request("Name can't be blank")
    scopes, expires = _checked(given.scopes, _RESOURCE), tokens.end(given.expires_at)
    bot = tokens.make_bot(call.site, kind, source, given.name, level, call.user)
    token, secret = tokens.make(
        call.site,
        kind=kind,
        user_id=bot["id"],
        source_id=source["id"],
        name=given.name,
        description=given.description,
        scopes=scopes,
        expires_at=expires,
        access_level=level,
    )
    return tokens.shown(token, secret)


def _rotate(call: Call, token: Document, given: Rotation) -> Any:
    if token["revoked"]:
        tokens.revoke_family(call.site, token)
        # A returned answer, because an exception would undo the revocations.
        return Reply({"message": "400 Bad request - token already revoked"}, 400)
    successor, secret = tokens.rotate(call.site, token, given.expires_at)
    return tokens.shown(successor, secret)


def _routes(kind: str) -> None:
    path = f"/{kind}s/{{id}}/access_tokens"

    @router.get(path)
    @needed_by(Need.LOOKUP, Need.INVENTORY)
    def list_tokens(call: Call, id: str, given: TokenFilter) -> Any:
        """List the tokens, also revoked ones."""
        source = _source(call, kind, id)
        return _listed(call, call.store.find("token", kind=kind, source_id=source["id"]), given)

    @router.post(path)
    @needed_by(Need.PLUGINS)
    def create_token(call: Call, id: str, given: NewToken) -> Any:
        """Create a token; only this answer contains the secret."""
        return _add(call, kind, id, given)

    @router.get(f"{path}/{{token_id}}")
    @needed_by(Need.PLUGINS)
    def get_token(call: Call, id: str, token_id: int) -> Any:
        """Return one token."""
        return tokens.shown(_one(call, kind, _source(call, kind, id), token_id))

    @router.post(f"{path}/{{token_id}}/rotate", status=200)
    @needed_by(Need.PLUGINS)
    def rotate_token(call: Call, id: str, token_id: int, given: Rotation) -> Any:
        """Replace a token with a new one. If it was revoked, revoke all its successors."""
        return _rotate(call, _one(call, kind, _source(call, kind, id), token_id), given)

    @router.delete(f"{path}/{{token_id}}")
    @needed_by(Need.PLUGINS, Need.LOOKUP, Need.INVENTORY)
    def revoke_token(call: Call, id: str, token_id: int) -> None:
        """Revoke a token."""
        tokens.revoke(call.site, _one(call, kind, _source(call, kind, id), token_id))


_routes("project")
_routes("group")


# Of users -------------------------------------------------------------------------------------------------------------


@router.get("/personal_access_tokens")
@needed_by(Need.ISOLATION)
def list_personal(call: Call, given: TokenFilter) -> Any:
    """List the caller's tokens; for administrators, those of all users."""
    found = call.store.find("token", kind="personal")
    if not call.is_admin:
        if given.user_id not in {None, call.user["id"]}:
            raise unauthorized()
        found = [one for one in found if one["user_id"] == call.user["id"]]
    return _listed(call, found, given)


@router.get("/personal_access_tokens/self", scopes=("read_user", "self_rotate", "read_repository"))
@needed_by(Need.CREDENTIALS)
def get_own(call: Call) -> Any:
    """Return the token of this request."""
    if call.actor is None or call.actor.token is None:
        raise unauthorized()
    token = tokens.shown(call.actor.token)
    return {name: token[name] for name in token if name not in {"access_level", "resource_type", "resource_id"}}


@router.post("/users/{user_id}/personal_access_tokens")
@needed_by(Need.CHAIN)
def create_personal(call: Call, user_id: int, given: NewPersonalToken) -> Any:
    """Create a user's token, as an administrator; only this answer contains the secret."""
    call.require_admin()
    user = call.store.get("user", user_id)
    if user is None:
        raise not_found("User")
    allowed = ALL_SCOPES if user["is_admin"] else tuple(one for one in ALL_SCOPES if one not in {"sudo", "admin_mode"})
    return _create_personal(call, user, given, allowed)


def _create_personal(call: Call, user: Document, given: NewPersonalToken, allowed: tuple[str, ...]) -> Any:
    if not given.name.strip():
        raise ApiError(422, {"message": "Name can't be blank"})
    token, secret = tokens.make(
        call.site,
        kind="personal",
        user_id=user["id"],
        name=given.name,
        description=given.description,
        scopes=_checked(given.scopes, allowed),
        expires_at=tokens.end(given.expires_at),
    )
    return tokens.shown(token, secret)
