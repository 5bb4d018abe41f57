"""Users: JSON and validation."""

from __future__ import annotations

import re
from typing import Any, Final

from lab.standins.gitlab import naming
from lab.standins.gitlab.errors import conflict, invalid
from lab.standins.gitlab.site import GitLabSite
from lab.standins.store import Document

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_SHORTEST_PASSWORD: Final = 8

#: Attributes that a client sets, with their defaults.
ATTRIBUTES: Final[dict[str, Any]] = {
    "bio": "",
    "location": "",
    "public_email": None,
    "linkedin": "",
    "twitter": "",
    "discord": "",
    "github": "",
    "website_url": "",
    "organization": "",
    "job_title": "",
    "pronouns": None,
    "commit_email": None,
    "note": None,
    "projects_limit": 100000,
    "can_create_group": True,
    "external": False,
    "private_profile": False,
    "color_scheme_id": 1,
    "theme_id": 3,
    "view_diffs_file_by_file": False,
    "auditor": False,
}


def basic(site: GitLabSite, user: Document) -> Document:
    """Return a user as shown to everybody."""
    return {
        "id": user["id"],
        "username": user["username"],
        "public_email": user.get("public_email"),
        "name": user["name"],
        "state": user["state"],
        "locked": False,
        "avatar_url": None,
        "web_url": f"{site.url}/{user['username']}",
    }


def public(site: GitLabSite, user: Document) -> Document:
    """Return a user as shown to others, alone."""
    shown = ("bio", "location", "linkedin", "twitter", "discord", "github", "website_url", "organization", "job_title")
    return {
        **basic(site, user),
        "created_at": user["created_at"],
        **{name: user.get(name, ATTRIBUTES[name]) for name in (*shown, "pronouns")},
        "bot": user["bot"],
        "work_information": None,
        "followers": 0,
        "following": 0,
        "is_followed": False,
        "local_time": None,
    }


def whole(site: GitLabSite, user: Document) -> Document:
    """Return a user as shown to administrators and to the user."""
    namespace = site.store.first("namespace", kind="user", owner_id=user["id"])
    creator = site.store.get("user", user["created_by_id"]) if user.get("created_by_id") else None
    limits = ("projects_limit", "can_create_group", "private_profile", "color_scheme_id", "theme_id")
    return {
        **public(site, user),
        "last_sign_in_at": None,
        "confirmed_at": user.get("confirmed_at"),
        "last_activity_on": None,
        "email": user["email"],
        "commit_email": user.get("commit_email") or user["email"],
        **{name: user.get(name, ATTRIBUTES[name]) for name in limits},
        "current_sign_in_at": None,
        "identities": [
            {"provider": one["provider"], "extern_uid": one["extern_uid"], "saml_provider_id": None}
            for one in user.get("identities", [])
        ],
        "can_create_project": user.get("projects_limit", 1) > 0,
        "two_factor_enabled": False,
        "external": user["external"],
        "scim_identities": [],
        "is_admin": user["is_admin"],
        "is_auditor": bool(user.get("auditor")),
        "note": user.get("note"),
        "namespace_id": namespace["id"] if namespace else None,
        "created_by": basic(site, creator) if creator else None,
        "email_reset_offered_at": None,
        "using_license_seat": False,
        "highest_role": 0,
        "current_sign_in_ip": None,
        "last_sign_in_ip": None,
        "sign_in_count": 0,
    }


def check(site: GitLabSite, given: Document, *, but: int | None = None) -> None:
    """Raise ApiError for invalid names, addresses and passwords. `but` is a user who may already have them."""
    email, username = given.get("email"), given.get("username")
    if email is not None:
        taken = site.store.first("user", email_key=email.lower())
        if taken is not None and taken["id"] != but:
            raise conflict("Email has already been taken")
    if username is not None:
        taken = site.store.first("user", username_key=username.lower())
        if taken is not None and taken["id"] != but:
            raise conflict("Username has already been taken")
    errors: dict[str, list[str]] = {}
    if email is not None and not _EMAIL.fullmatch(email):
        errors["email"] = ["is invalid"]
    if username is not None:
        wrong = naming.path_errors(username, project=False, top=True)
        mine = site.store.first("namespace", route=username.lower())
        if not wrong and mine is not None and mine.get("owner_id") != but:
            wrong = ["has already been taken"]
        if wrong:
            errors["username"] = wrong
    if given.get("name") is not None and not given["name"].strip():
        errors["name"] = ["can't be blank"]
    if given.get("password") is not None and len(given["password"]) < _SHORTEST_PASSWORD:
        errors["password"] = [f"is too short (minimum is {_SHORTEST_PASSWORD} characters)"]
    if errors:
        raise invalid(**errors)
