"""Permissions: those of Harbor's roles in a project, and those that a robot can have.

Resources have the names of Harbor's permission API; `""` is the project itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Rights = Mapping[str, frozenset[str]]

ROLE_NAMES: Final = {1: "projectAdmin", 2: "developer", 3: "guest", 4: "maintainer", 5: "limitedGuest"}


def _table(text: str) -> Rights:
    """Parse `resource: action action; ...`."""
    pairs = (part.split(":", 1) for part in text.replace("\n", " ").split(";") if part.strip())
    return {name.strip(): frozenset(actions.split()) for name, actions in pairs}


ROLES: Final[Mapping[int, Rights]] = {
    1: _table(
        """: read update delete; member: create read update delete list; metadata: create read update delete;
        log: list; label: create read update delete list; quota: read;
        repository: create read update delete list pull push; tag-retention: create read update delete list operate;
        immutable-tag: create update delete list; configuration: read update; robot: create read update delete list;
        notification-policy: create update delete list read; scan: create read stop; sbom: create stop read;
        scanner: read create; artifact: create read delete list; artifact-addition: read; tag: list create delete;
        accessory: list; artifact-label: create delete; preheat-policy: create read update delete list;
        export-cve: create read list"""
    ),
    4: _table(
        """: read; member: read list; metadata: read; quota: read; label: create read update delete list;
        repository: create read update delete list push pull; tag-retention: create read update delete list operate;
        accessory: list; immutable-tag: create update delete list; configuration: read; robot: read list;
        notification-policy: read list; scan: create read stop; sbom: create stop read; scanner: read;
        artifact: create read delete list; artifact-addition: read; tag: list create delete;
        artifact-label: create delete; export-cve: create read list"""
    ),
    2: _table(
        """: read; member: read list; label: read list; quota: read; repository: create read update list push pull;
        tag-retention: create read update delete list operate; configuration: read; robot: read list; scan: read;
        sbom: read; scanner: read; artifact: create read list; artifact-addition: read; tag: list create;
        accessory: list; artifact-label: create delete; export-cve: create read list"""
    ),
    3: _table(
        """: read; member: read list; label: read list; quota: read; repository: read list pull; configuration: read;
        robot: read list; scan: read; sbom: read; scanner: read; tag: list; accessory: list; artifact: read list;
        artifact-addition: read"""
    ),
    5: _table(
        """: read; quota: read; repository: list read pull; configuration: read; scan: read; sbom: read; scanner: read;
        tag: list; accessory: list; artifact: read list; artifact-addition: read"""
    ),
}

#: Permissions of everybody in a public project.
PUBLIC: Final = _table(
    """: read; label: read list; repository: list pull; scan: read; scanner: read; tag: list; artifact: read list;
    artifact-addition: read; accessory: list"""
)

#: Permissions that a robot can have, for the system and for projects.
SYSTEM_PERMISSIONS: Final = _table(
    """audit-log: list; preheat-instance: read create delete list update; project: list create;
    replication-policy: read create delete list update; replication: read create list; replication-adapter: list;
    registry: read create delete list update; scan-all: read update stop create; system-volumes: read;
    garbage-collection: read create list update stop; purge-audit: read create list update stop;
    jobservice-monitor: list stop; scanner: read create delete list update; label: read create delete update;
    security-hub: read list; catalog: read; quota: read list update; robot: create read list delete;
    user: create read update list delete; ldap-user: create list; user-group: create read update list delete"""
)
PROJECT_PERMISSIONS: Final = _table(
    """log: list; project: read delete update; metadata: read create delete list update;
    repository: read update delete list pull push; artifact: read create list delete; scan: create read stop;
    sbom: create stop read; tag: create list delete; accessory: list; artifact-addition: read;
    artifact-label: create delete; scanner: create read; preheat-policy: read create delete list update;
    immutable-tag: create delete list update; notification-policy: read create delete list update;
    tag-retention: read create delete list update; label: read create delete list update; quota: read;
    robot: create read list delete; export-cve: create read; member: create read update list delete"""
)


def grants(rights: Rights, resource: str, action: str) -> bool:
    """Whether a table contains the action on the resource."""
    return action in rights.get(resource, ())
