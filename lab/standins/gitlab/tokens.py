"""Access tokens: creation, JSON, rotation and revocation. Only a digest is stored."""

from __future__ import annotations

import secrets
from datetime import date, timedelta
from typing import Final

from lab.standins.gitlab import access
from lab.standins.gitlab.errors import bad_request
from lab.standins.gitlab.seed import new_user
from lab.standins.gitlab.site import GitLabSite, digest, now, today
from lab.standins.store import Document

#: Maximum lifetime of a token, and its lifetime after a rotation without an expiry date, in days.
LONGEST: Final = 365
ROTATED: Final = 7


def end(given: str | None, *, default: int = LONGEST) -> str:
    """Return the expiry date, which may have passed. Raises 400 for a date that is too late."""
    first = date.fromisoformat(today())
    if given is None:
        return (first + timedelta(days=default)).isoformat()
    if given > (last := (first + timedelta(days=LONGEST)).isoformat()):
        raise bad_request(f"Expires at must be before {last}")
    return given


def make(site: GitLabSite, **content: object) -> tuple[Document, str]:
    """Store a token with `content` (kind, user_id, name...); return it and the secret, which is shown only once."""
    secret = f"glpat-{secrets.token_urlsafe(20)}"
    token = site.store.add(
        "token",
        {
            "description": None,
            "created_at": now(),
            "last_used_at": None,
            "revoked": False,
            "family": secrets.token_hex(8),
            **content,
            "digest": digest(secret),
        },
    )
    return token, secret


def shown(token: Document, secret: str | None = None) -> Document:
    """Return a token as shown in the API, with the secret only after its creation."""
    active = not token["revoked"] and not (token["expires_at"] and token["expires_at"] <= today())
    names = ("id", "name", "revoked", "created_at", "description", "scopes", "user_id", "last_used_at")
    return {
        **{name: token.get(name) for name in names},
        "active": active,
        "expires_at": token["expires_at"],
        **(
            {"access_level": token["access_level"], "resource_type": token["kind"], "resource_id": token["source_id"]}
            if token["kind"] in {"project", "group"}
            else {}
        ),
        **({} if secret is None else {"token": secret}),
    }


def make_bot(site: GitLabSite, kind: str, source: Document, name: str, level: int, creator: Document) -> Document:
    """Create the bot user of a project or group access token, with its membership."""
    username = f"{kind}_{source['id']}_bot_{secrets.token_hex(16)}"
    email = f"{username}@noreply.example.com"
    more = {"bot": True, "confirmed_at": now(), "created_by_id": creator["id"], "can_create_group": False}
    bot = new_user(site, username=username, name=name, email=email, **more)
    site.store.add(
        "member",
        {
            "source_type": kind,
            "source_id": source["id"],
            "user_id": bot["id"],
            "access_level": level,
            "expires_at": None,
            "created_by_id": creator["id"],
            "created_at": now(),
        },
    )
    return bot


def revoke(site: GitLabSite, token: Document) -> None:
    """Revoke a token; a bot's membership ends with its last token."""
    site.store.put("token", {**token, "revoked": True})
    if token["kind"] == "personal":
        return
    left = [one for one in site.store.find("token", user_id=token["user_id"]) if not one["revoked"]]
    if not left:
        for member in site.store.find("member", user_id=token["user_id"]):
            site.store.remove("member", member["id"])


def rotate(site: GitLabSite, token: Document, expires_at: str | None) -> tuple[Document, str]:
    """Revoke a token and create its successor. The caller has checked that it is not revoked."""
    site.store.put("token", {**token, "revoked": True})
    names = ("kind", "user_id", "name", "description", "scopes", "family", "access_level", "source_id")
    kept = {name: token[name] for name in names if name in token}
    return make(site, **kept, expires_at=end(expires_at, default=ROTATED))


def revoke_family(site: GitLabSite, token: Document) -> None:
    """Revoke the successors of a revoked token that was used for a rotation, because somebody has a copy of it."""
    with site.store.transaction():
        for one in site.store.find("token", family=token.get("family", "")):
            if not one["revoked"]:
                revoke(site, one)


def least_level(kind: str) -> int:
    """Return the level that manages the tokens of a project or group."""
    return access.MAINTAINER if kind == "project" else access.OWNER
