"""The levels that people have in a tenant's group, by their rights."""

from __future__ import annotations

from collections.abc import Mapping

from model.access import rights_of
from model.tenant import Right, Tenant

#: The level in the tenant's group that a right is, the strongest first. Nobody of a tenant owns the group: its shape
#: comes from the tenant file.
ACCESS_LEVELS: Mapping[Right, str] = {
    Right.GITLAB_MAINTAINER: "maintainer",
    Right.GITLAB_DEVELOPER: "developer",
    Right.GITLAB_REPORTER: "reporter",
}

#: The levels in the root group that may be above a tenant's, as the plugin names them, the strongest first.
_STRONGEST_FIRST = ("owner", *ACCESS_LEVELS.values())


def access_level(tenant: Tenant, person: str) -> str | None:
    """Return the level of a person in the tenant's group, by the strongest of their rights; None without one."""
    rights = rights_of(tenant, person)
    return next((level for right, level in ACCESS_LEVELS.items() if right in rights), None)


def is_stronger(level: str, other: str) -> bool:
    """Return whether a level gives more than another one."""
    return level in _STRONGEST_FIRST and _STRONGEST_FIRST.index(level) < _STRONGEST_FIRST.index(other)
