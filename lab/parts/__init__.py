"""The programs and files the local platform is made of: fetched or built once, kept in a cache by version.

`plan()` says which way each is taken here, and what the machine lacks for it; `ensure()` does it and gives the folders.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from lab.parts.cache import Cache, default_root
from lab.parts.catalogue import PARTS
from lab.parts.installing import select
from lab.parts.official import official_pulumi
from lab.parts.planning import Plan, choose
from lab.reporter import Reporter, for_terminal

__all__ = ["Plan", "ensure", "official_pulumi", "plan"]


def plan(names: Collection[str] | None = None) -> Plan:
    """Which way these parts (without `names`: all that the platform needs) are taken. Takes two seconds at most."""
    return choose(select(PARTS, names), Cache(default_root()))


def ensure(names: Collection[str] | None = None, *, reporter: Reporter | None = None) -> dict[str, Path]:
    """Folder of each part by name (without `names`: all that the platform needs), made where the cache has it not.

    `pulumi` and `chromium` are left out where the machine's own is used. Raises LabError with all that the machine
    lacks before anything starts, or with the end of the log of what failed; KeyboardInterrupt ends everything it
    started.
    """
    if reporter is None:
        with for_terminal() as own:
            return ensure(names, reporter=own)
    planned = plan(names)
    reporter.note(planned.summary())
    return planned.make(reporter)
