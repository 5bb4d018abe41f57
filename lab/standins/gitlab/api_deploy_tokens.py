# ruff: noqa: ANN401 - JSON answers have any type
"""Deploy tokens of projects and groups, for git and registries but not for the API."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

from lab.standins.gitlab import access
from lab.standins.gitlab.errors import ApiError, invalid, not_found
from lab.standins.gitlab.params import Bool, Moment, Paging, Params, Text
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import GitLabSite, digest
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("deploy tokens")

_SCOPES: Final = (
    "read_repository",
    "read_registry",
    "write_registry",
    "read_virtual_registry",
    "write_virtual_registry",
    "read_package_registry",
    "write_package_registry",
)


def _split(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


class NewDeployToken(Params):
    """Parameters of a new token."""

    name: str
    scopes: Annotated[list[str], BeforeValidator(_split)]
    expires_at: Moment = None
    username: Text = None


class DeployTokenFilter(Paging):
    """Filter of tokens."""

    active: Bool = None


def _expired(token: Document) -> bool:
    return bool(token["expires_at"]) and datetime.fromisoformat(token["expires_at"]) <= datetime.now(UTC)


def _shown(site: GitLabSite, token: Document, secret: str | None = None) -> Document:
    shown = {name: token[name] for name in ("id", "name", "username", "expires_at", "scopes", "revoked")}
    hours = int(str(site.options.get("utc_offset", 0)))
    if token["expires_at"] and hours:
        # As in GitLab, whose times have the offset of gitlab_rails['time_zone'].
        local = datetime.fromisoformat(token["expires_at"]).astimezone(timezone(timedelta(hours=hours)))
        shown["expires_at"] = local.isoformat(timespec="milliseconds")
    return {**shown, "expired": _expired(token), **({} if secret is None else {"token": secret})}


def _source(call: Call, kind: str, id_: str) -> int:
    found = call.project(id_, access.MAINTAINER) if kind == "project" else call.group(id_, access.OWNER)
    return int(found["id"])


def _one(call: Call, kind: str, source: int, token_id: int) -> Document:
    found = call.store.get("deploy_token", token_id)
    if found is None or found["revoked"] or (found["source_type"], found["source_id"]) != (kind, source):
        raise not_found("Deploy Token")
    return found


def _active(call: Call, found: list[Document], given: DeployTokenFilter) -> Any:
    live = [one for one in found if not one["revoked"]]
    kept = [one for one in live if given.active is None or given.active is not _expired(one)]
    return call.page(kept, given, partial(_shown, call.site))


def _add(call: Call, kind: str, id_: str, given: NewDeployToken) -> Any:
    source = _source(call, kind, id_)
    if not set(given.scopes) <= set(_SCOPES):
        raise ApiError(400, {"error": "scopes does not have a valid value"})
    if not given.scopes:
        raise invalid(base=["Scopes can't be blank"])
    wrong: dict[str, list[str]] = {}
    if not given.name.strip():
        wrong["name"] = ["can't be blank"]
    if given.username and not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_\-./@]*", given.username):
        wrong["username"] = ["can contain only letters, digits, '_', '-', '+', and '.'"]
    if wrong:
        raise invalid(**wrong)
    secret = f"gldt-{secrets.token_urlsafe(20)}"
    token = call.store.add(
        "deploy_token",
        {
            "source_type": kind,
            "source_id": source,
            "name": given.name,
            "username": given.username,
            "scopes": list(dict.fromkeys(given.scopes)),
            "expires_at": given.expires_at,
            "revoked": False,
            "digest": digest(secret),
        },
    )
    if not given.username:
        token["username"] = f"gitlab+deploy-token-{token['id']}"
        call.store.put("deploy_token", token)
    return _shown(call.site, token, secret)


def _routes(kind: str) -> None:
    path = f"/{kind}s/{{id}}/deploy_tokens"

    @router.get(path)
    @needed_by(Need.LOOKUP, Need.INVENTORY)
    def list_tokens(call: Call, id: str, given: DeployTokenFilter) -> Any:
        """List the deploy tokens."""
        found = call.store.find("deploy_token", source_type=kind, source_id=_source(call, kind, id))
        return _active(call, found, given)

    @router.post(path)
    @needed_by(Need.PLUGINS)
    def create_token(call: Call, id: str, given: NewDeployToken) -> Any:
        """Create a deploy token; only this answer contains the secret."""
        return _add(call, kind, id, given)

    @router.get(f"{path}/{{token_id}}")
    @needed_by(Need.PLUGINS)
    def get_token(call: Call, id: str, token_id: int) -> Any:
        """Return one deploy token."""
        return _shown(call.site, _one(call, kind, _source(call, kind, id), token_id))

    @router.delete(f"{path}/{{token_id}}")
    @needed_by(Need.PLUGINS, Need.LOOKUP, Need.INVENTORY)
    def delete_token(call: Call, id: str, token_id: int) -> None:
        """Revoke a deploy token."""
        token = _one(call, kind, _source(call, kind, id), token_id)
        call.store.put("deploy_token", {**token, "revoked": True})


_routes("project")
_routes("group")
