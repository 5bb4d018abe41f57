"""Authentication by personal, project and group access tokens, deploy tokens, and the kinds of extensions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request

from lab.standins.gitlab.errors import ApiError, forbidden, insufficient_scope, invalid_token, unauthorized
from lab.standins.gitlab.site import GitLabSite, digest, now, today
from lab.standins.store import Document

#: Interval at which the last use of a token is recorded.
_NOTED_EVERY: Final = timedelta(minutes=1)

BLOCKED: Final = "Your account has been blocked."


@dataclass(frozen=True, slots=True)
class Actor:
    """The owner of a token.

    `kind` is `personal`, `project`, `group`, `deploy` or `job`. Deploy tokens have no `user`, but the `project_id` or
    `group_id` to which they belong; job tokens have the job's user, the job's `project_id`, and the `job`.
    """

    kind: str
    scopes: frozenset[str]
    user: Document | None
    token: Document | None = None
    project_id: int | None = None
    group_id: int | None = None
    job: Document | None = None

    @property
    def admin(self) -> bool:
        """Whether it is an administrator; a job never is."""
        return self.user is not None and bool(self.user["is_admin"]) and self.kind != "job"

    def may(self, *scopes: str) -> bool:
        """Whether the token has one of these scopes."""
        return not self.scopes.isdisjoint(scopes)


def resolve(site: GitLabSite, secret: str) -> Actor | None:
    """Return the actor of a secret, None if it is unknown. Raises ApiError 401 or 403 if it is not valid now.

    Deploy tokens are not resolved here, because they have no access to the API.
    """
    found = site.store.first("token", digest=digest(secret))
    if found is None:
        return next((actor for kind in site.token_kinds if (actor := kind(site, secret)) is not None), None)
    if found["revoked"]:
        raise invalid_token("Token was revoked. You have to re-authorize from the user.")
    if found["expires_at"] and found["expires_at"] <= today():
        raise invalid_token("Token is expired. You can either do re-authorization or token refresh.")
    user = site.store.get("user", found["user_id"])
    if user is None:
        return None
    if user["state"] != "active":
        raise forbidden(BLOCKED)
    _note_use(site, found)
    return Actor(found["kind"], frozenset(found["scopes"]), user, found)


def _note_use(site: GitLabSite, token: Document) -> None:
    last = token.get("last_used_at")
    if last and datetime.fromisoformat(last) > datetime.now(UTC) - _NOTED_EVERY:
        return
    with site.store.transaction():
        current = site.store.get("token", token["id"])
        if current is not None:
            site.store.put("token", {**current, "last_used_at": now()})


def resolve_login(site: GitLabSite, username: str, password: str) -> Actor | None:
    """Return the actor of a log-in for git or a registry: an access token with any name, a deploy token with its name.

    Returns None if the secret is unknown or invalid. The caller must check scopes.
    """
    found = site.store.first("deploy_token", digest=digest(password))
    if found is not None:
        over = bool(found["expires_at"]) and datetime.fromisoformat(found["expires_at"]) <= datetime.now(UTC)
        if found["revoked"] or over or found["username"] != username:
            return None
        source = {f"{found['source_type']}_id": found["source_id"]}
        return Actor("deploy", frozenset(found["scopes"]), None, found, **source)
    try:
        return resolve(site, password)
    except ApiError:
        return None


def basic(request: Request) -> tuple[str, str] | None:
    """Return user name and password of an `Authorization: Basic` header; None without a readable one."""
    scheme, _, content = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        username, _, password = base64.b64decode(content.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return username, password


def authenticate(site: GitLabSite, request: Request, given: Mapping[str, Any]) -> Actor | None:
    """Return the actor of an API request, None without a token. Raises ApiError for an invalid token.

    The token is in `PRIVATE-TOKEN`, `Authorization: Bearer`, `JOB-TOKEN`, or in parameters with these names.
    """
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    secrets = [
        request.headers.get("private-token"),
        bearer.strip() if scheme.lower() == "bearer" else None,
        request.headers.get("job-token"),
        given.get("private_token"),
        given.get("job_token"),
        given.get("access_token"),
    ]
    secret = next((one for one in secrets if isinstance(one, str) and one), None)
    if secret is None:
        return None
    actor = resolve(site, secret)
    if actor is None:
        raise unauthorized()
    return _sudo(site, request, given, actor)


def _sudo(site: GitLabSite, request: Request, given: Mapping[str, Any], actor: Actor) -> Actor:
    name = request.headers.get("sudo") or given.get("sudo")
    if not name:
        return actor
    if not actor.admin:
        raise forbidden("Must be admin to use sudo")
    if not actor.may("sudo"):
        raise insufficient_scope("sudo")
    text = str(name)
    by_id = site.store.get("user", int(text)) if text.isascii() and text.isdigit() and len(text) < 19 else None  # noqa: PLR2004 - fits 64 bits
    user = by_id or site.store.first("user", username_key=text.lower())
    if user is None:
        raise ApiError(404, {"message": f"404 User with ID or username '{text}' Not Found"})
    return replace(actor, user=user)
