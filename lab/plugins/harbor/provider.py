"""The harbor plugin: its resources on one connection."""

from __future__ import annotations

from lab.plugins.bridge import Bridge
from lab.plugins.harbor import projects, registries, robots, rules, system
from lab.plugins.harbor.client import Harbor, settled
from lab.plugins.schema import trimmed
from lab.plugins.server import Host
from lab.plugins.wire import Properties


def _required(settings: Properties) -> list[str]:
    if settled(settings).get("url"):
        return []
    return ["Provider is missing a required configuration key, try `pulumi config set harbor:url`"]


def make(_host: Host) -> Bridge[Harbor]:
    """Build the backend; nothing is dialled yet."""
    return Bridge(
        name="harbor",
        version=str(trimmed("harbor")["version"]),
        resources={
            **projects.RESOURCES,
            **robots.RESOURCES,
            **rules.RESOURCES,
            **system.RESOURCES,
            **registries.RESOURCES,
        },
        functions={},
        connect=Harbor,
        required_config=_required,
    )
