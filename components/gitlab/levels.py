"""The access levels that people have in a tenant's group, by their rights."""

from __future__ import annotations

from collections.abc import Mapping

from model.access import rights_of
from model.tenant import Right, Tenant

#: The access level in the tenant's group that each right gives, the strongest first. No member of a tenant owns the
#: group: the tenant file defines its projects and members.
ACCESS_LEVELS: Mapping[Right, str] = {
    Right.GITLAB_MAINTAINER: "maintainer",
    Right.GITLAB_DEVELOPER: "developer",
    Right.GITLAB_REPORTER: "reporter",
}

#: Access levels that a member of the root group may have, as the plugin names them, the strongest first.
_STRONGEST_FIRST = ("owner", *ACCESS_LEVELS.values())


def access_level(tenant: Tenant, person: str) -> str | None:
    """Return the access level that the strongest right of a person gives; None without such a right."""
    rights = rights_of(tenant, person)
    return next((level for right, level in ACCESS_LEVELS.items() if right in rights), None)


def is_stronger(level: str, other: str) -> bool:
    """Return whether a level is higher than another one."""
    return level in _STRONGEST_FIRST and _STRONGEST_FIRST.index(level) < _STRONGEST_FIRST.index(other)
