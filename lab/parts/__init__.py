"""The programs and files of the local platform: downloaded or built once, kept in a cache by version.

`plan()` returns how this machine obtains each part and what it lacks for that; `ensure()` obtains the parts and
returns their folders.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from lab.parts.cache import Cache, default_root
from lab.parts.catalogue import PARTS
from lab.parts.installing import select
from lab.parts.official import official_pulumi
from lab.parts.planning import PartsPlan, choose
from lab.reporter import Reporter, for_terminal

__all__ = ["PartsPlan", "ensure", "official_pulumi", "plan"]


def plan(names: Collection[str] | None = None) -> PartsPlan:
    """Return how these parts (by default all that the platform needs) are obtained. Takes at most two seconds."""
    return choose(select(PARTS, names), Cache(default_root()))


def ensure(names: Collection[str] | None = None, *, reporter: Reporter | None = None) -> dict[str, Path]:
    """Obtain these parts (by default all that the platform needs) and return their folders by name.

    `pulumi` and `chromium` are omitted if the machine's own is used. Before it starts, it raises LabError with
    everything that the machine lacks; later, with the end of the failed part's log. KeyboardInterrupt ends everything
    it started.
    """
    if reporter is None:
        with for_terminal() as own:
            return ensure(names, reporter=own)
    planned = plan(names)
    reporter.note(planned.summary())
    return planned.make(reporter)
