"""The programs and files the local platform is made of: fetched or built once, kept in a cache by version.

`ensure()` gives the folder of each; `prerequisites()` says what the machine lacks for it.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from lab.parts.cache import Cache, default_root
from lab.parts.catalogue import PARTS
from lab.parts.installing import install, missing_tools, select
from lab.parts.official import official_pulumi
from lab.reporter import Reporter, for_terminal

__all__ = ["ensure", "official_pulumi", "prerequisites"]


def ensure(names: Collection[str] | None = None, *, reporter: Reporter | None = None) -> dict[str, Path]:
    """Folder of each part by name (without `names`: all that the platform needs), made where the cache has it not.

    `pulumi` and `chromium` are left out where the machine's own is used. Raises LabError with all that the machine
    lacks before anything starts, or with the end of the log of what failed; KeyboardInterrupt ends everything it
    started.
    """
    parts = select(PARTS, names)
    if reporter is not None:
        return install(parts, Cache(default_root()), reporter)
    with for_terminal() as own:
        return install(parts, Cache(default_root()), own)


def prerequisites(names: Collection[str] | None = None) -> list[str]:
    """What the machine lacks for these parts, one line each with the Debian package; empty when it has all.

    Tools that only make a part are not asked for when the cache has it.
    """
    return missing_tools(select(PARTS, names), Cache(default_root()))
