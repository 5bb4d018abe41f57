"""The harbor plugin: its resources, with one client."""

from __future__ import annotations

from lab.plugins.bridge import Bridge
from lab.plugins.harbor import projects, registries, robots, rules, system
from lab.plugins.harbor.client import ENVIRONMENT, HarborPluginClient
from lab.plugins.server import Host


def make(_host: Host) -> Bridge[HarborPluginClient]:
    """Build the backend, without a connection."""
    return Bridge(
        name="harbor",
        tables=(projects.RESOURCES, registries.RESOURCES, robots.RESOURCES, rules.RESOURCES, system.RESOURCES),
        connect=HarborPluginClient,
        environment=ENVIRONMENT,
        required="url",
    )
