"""The gitlab plugin: its resources and functions on one connection."""

from __future__ import annotations

from lab.plugins.bridge import Bridge
from lab.plugins.gitlab import (
    approvals,
    environments,
    functions,
    groups,
    hooks,
    members,
    projects,
    protections,
    push_rules,
    repository,
    schedules,
    tokens,
    users,
    variables,
)
from lab.plugins.gitlab.client import GitLab
from lab.plugins.schema import trimmed
from lab.plugins.server import Host
from lab.plugins.wire import Properties


def _required(_settings: Properties) -> list[str]:
    # Upstream marks nothing as required: the token may come from the environment.
    return []


def make(_host: Host) -> Bridge[GitLab]:
    """Build the backend; nothing is dialled yet."""
    return Bridge(
        name="gitlab",
        version=str(trimmed("gitlab")["version"]),
        resources={
            **approvals.RESOURCES,
            **environments.RESOURCES,
            **groups.RESOURCES,
            **hooks.RESOURCES,
            **members.RESOURCES,
            **projects.RESOURCES,
            **protections.RESOURCES,
            **push_rules.RESOURCES,
            **repository.RESOURCES,
            **schedules.RESOURCES,
            **tokens.RESOURCES,
            **users.RESOURCES,
            **variables.RESOURCES,
        },
        functions=functions.FUNCTIONS,
        connect=GitLab,
        required_config=_required,
    )
