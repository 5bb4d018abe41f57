"""The gitlab plugin: its resources and functions, with one client."""

from __future__ import annotations

from typing import Final

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
    runners,
    schedules,
    tokens,
    users,
    variables,
)
from lab.plugins.gitlab.client import GitLabPluginClient
from lab.plugins.server import Host

_MODULES: Final = (
    approvals, environments, groups, hooks, members, projects, protections, push_rules, repository, runners, schedules,
    tokens, users, variables,
)  # fmt: skip


def make(_host: Host) -> Bridge[GitLabPluginClient]:
    """Build the backend, without a connection."""
    return Bridge(
        name="gitlab",
        tables=(module.RESOURCES for module in _MODULES),
        functions=functions.FUNCTIONS,
        connect=GitLabPluginClient,
    )
