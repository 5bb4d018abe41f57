"""Callers and their permissions: a user, a robot, the bearer of a registry token, or anonymous."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from lab.standins.harbor import rbac, secrecy
from lab.standins.harbor.site import ADMIN_ID, HarborSite, timestamp
from lab.standins.store import Document


@dataclass(frozen=True, slots=True)
class Principal:
    """The anonymous caller, with permissions of everybody. `kind` is the name in Harbor's audit log and robots."""

    site: HarborSite = field(repr=False)
    kind = "local"

    @property
    def name(self) -> str:
        """Name for logs; empty if anonymous."""
        return ""

    @property
    def known(self) -> bool:
        """Whether it is not anonymous."""
        return bool(self.name)

    @property
    def admin(self) -> bool:
        """Whether it is a system administrator."""
        return False

    def may_system(self, action: str, resource: str) -> bool:  # noqa: ARG002 - for subclasses
        """Whether it has this system permission."""
        return self.admin

    def may(self, project: Document | None, action: str, resource: str) -> bool:
        """Whether it has this permission in a project; None is a project that does not exist."""
        if self.admin:
            return True
        if project is None:
            return False
        public = project["metadata"].get("public") == "true"
        return (public and rbac.grants(rbac.PUBLIC, resource, action)) or self._may(project, action, resource)

    def _may(self, project: Document, action: str, resource: str) -> bool:  # noqa: ARG002 - for subclasses
        return False

    def sees(self, project: Document) -> bool:
        """Whether lists of projects contain this one."""
        return self.admin or project["metadata"].get("public") == "true"


@dataclass(frozen=True, slots=True)
class UserPrincipal(Principal):
    """A user, with the ids of its groups; `elevated` if it is in the provider's administrator group."""

    user: Document = field(default_factory=dict, repr=False)
    groups: tuple[int, ...] = ()
    elevated: bool = False

    @property
    def name(self) -> str:
        """User name."""
        return str(self.user["username"])

    @property
    def admin(self) -> bool:
        """Whether it is a system administrator."""
        return bool(self.user.get("sysadmin_flag")) or self.elevated

    def roles(self, project: Document) -> list[int]:
        """Return its roles in a project, direct and by groups, the highest first."""
        found = {
            member["role_id"]
            for member in self.site.store.find("member", project_id=project["id"])
            if (member["entity_type"], member["entity_id"]) == ("u", self.user["id"])
            or (member["entity_type"] == "g" and member["entity_id"] in self.groups)
        }
        return [role for role in (1, 4, 2, 3, 5) if role in found]

    def _may(self, project: Document, action: str, resource: str) -> bool:
        return any(rbac.grants(rbac.ROLES[role], resource, action) for role in self.roles(project))

    def sees(self, project: Document) -> bool:
        """Whether lists of projects contain this one."""
        return Principal.sees(self, project) or bool(self.roles(project))


@dataclass(frozen=True, slots=True)
class Robot(Principal):
    """An enabled robot account that has not expired."""

    robot: Document = field(default_factory=dict, repr=False)
    kind = "robot"

    @property
    def name(self) -> str:
        """Full name."""
        return str(self.site.settings.get("robot_name_prefix")) + str(self.robot["name"])

    @property
    def covers_all(self) -> bool:
        """Whether its permissions cover all projects."""
        return any(grant["kind"] == "project" and grant["namespace"] == "*" for grant in self.robot["permissions"])

    def may_system(self, action: str, resource: str) -> bool:
        """Whether it has this system permission."""
        return self._granted("system", None, action, resource)

    def _may(self, project: Document, action: str, resource: str) -> bool:
        wanted = resource or "project"
        if self._granted("project", project, action, wanted):
            return True
        # For a robot of a project, push includes pull; for one of the system it does not.
        pulls = action == "pull" and self.robot["level"] == "project"
        return pulls and self._granted("project", project, "push", wanted)

    def _granted(self, kind: str, project: Document | None, action: str, resource: str) -> bool:
        for grant in self.robot["permissions"]:
            if grant["kind"] != kind or (project is not None and grant["namespace"] not in ("*", project["name"])):
                continue
            for access in grant["access"]:
                if (access["resource"], access["action"]) == (resource, action) and access.get("effect") != "deny":
                    return True
        return False

    def sees(self, project: Document) -> bool:
        """Whether lists of projects contain this one."""
        named = any(grant["namespace"] == project["name"] for grant in self.robot["permissions"])
        return Principal.sees(self, project) or named or self.covers_all


@dataclass(frozen=True, slots=True)
class Bearer(Principal):
    """The bearer of a registry token, with only the token's permissions."""

    subject: str = ""
    access: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    issued: float = 0.0

    @property
    def name(self) -> str:
        """The token's subject."""
        return self.subject

    def may_pull_or_push(self, repository: str, action: str) -> bool:
        """Whether the token allows the action on the repository."""
        return any(
            entry.get("type") == "repository" and entry.get("name") == repository and action in entry.get("actions", ())
            for entry in self.access
        )


def credentials(request: Request) -> tuple[str, str]:
    """Return the lower-case scheme and the rest of `Authorization`, or two empty texts."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    return (scheme.lower(), rest.strip()) if rest else ("", "")


def basic(value: str) -> tuple[str, str] | None:
    """Decode the value of `Basic`, or return None."""
    try:
        name, colon, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, secret) if colon else None


def log_in(site: HarborSite, name: str, secret: str) -> Principal | None:
    """Return the robot or user with this name and secret, or None."""
    prefix = str(site.settings.get("robot_name_prefix"))
    if name.startswith(prefix) and (found := site.store.first("robot", name=name.removeprefix(prefix))):
        expired = found["expires_at"] != -1 and found["expires_at"] <= timestamp()
        if found["disable"] or expired or not secrecy.matches(secret, found["secret"]):
            return None
        return Robot(site, found)
    user = site.store.first("user", username=name)
    if user is None or not secrecy.matches(secret, user.get("password")):
        return None
    if user["id"] != ADMIN_ID and site.settings.get("auth_mode") != "db_auth":
        return None  # all except the administrator log in at the provider
    return person(site, user)


def person(site: HarborSite, user: Document) -> UserPrincipal:
    """Return a user as principal, with the groups of its last ID token."""
    known = {group["id"] for group in site.store.find("group")}
    return UserPrincipal(site, user, tuple(id_ for id_ in user.get("group_ids", []) if id_ in known))
