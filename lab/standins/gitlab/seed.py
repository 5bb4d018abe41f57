"""The initial content of an instance: the administrator `root` with a personal access token, and the settings."""

from __future__ import annotations

from typing import Final

from lab.standins.gitlab.site import GitLabSite, digest, now
from lab.standins.store import Document

#: All scopes of an administrator's personal access token.
ALL_SCOPES: Final = (
    "api",
    "read_user",
    "read_api",
    "read_repository",
    "write_repository",
    "read_registry",
    "write_registry",
    "sudo",
    "admin_mode",
    "create_runner",
    "manage_runner",
    "ai_features",
    "k8s_proxy",
    "self_rotate",
    "read_service_ping",
)


def create_initial(site: GitLabSite, token: str) -> None:
    """Create missing objects, and set the token of `root` to `token`. Idempotent."""
    with site.store.transaction():
        root = site.store.first("user", username_key="root") or new_user(
            site, username="root", name="Administrator", email="admin@example.com", is_admin=True
        )
        key = digest(token)
        known = site.store.first("token", digest=key)
        if known is not None and known["revoked"]:
            site.store.put("token", {**known, "revoked": False})  # the configuration takes precedence
        if known is None:
            for old in site.store.find("token", user_id=root["id"], seeded=True):
                site.store.remove("token", old["id"])
            site.store.add(
                "token",
                {
                    "kind": "personal",
                    "user_id": root["id"],
                    "name": "platform",
                    "description": None,
                    "scopes": list(ALL_SCOPES),
                    "created_at": now(),
                    "last_used_at": None,
                    "revoked": False,
                    "expires_at": None,
                    "seeded": True,
                    "digest": key,
                },
            )


def new_user(site: GitLabSite, *, username: str, name: str, email: str, **more: object) -> Document:
    """Store a user with a namespace; `more` are further fields of the document."""
    user = site.store.add(
        "user",
        {
            "username": username,
            "username_key": username.lower(),
            "name": name,
            "email": email,
            "email_key": email.lower(),
            "state": "active",
            "is_admin": False,
            "external": False,
            "bot": False,
            "created_at": now(),
            **more,
        },
    )
    if not user["bot"]:
        site.store.add(
            "namespace",
            {
                "kind": "user",
                "owner_id": user["id"],
                "name": name,
                "path": username,
                "full_path": username,
                "route": username.lower(),
                "parent_id": None,
                "visibility": "public",
                "created_at": now(),
            },
        )
    return user
