"""The engine for machines without the official `pulumi`: command line, Python language host, provider plugins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.home import LabHome


def install(home: LabHome, parts: Mapping[str, Path]) -> None:
    """Fill `home.bin`; see `lab.engine.installation.install`."""
    # A local import, because the language host is in this package too and must start quickly.
    from lab.engine.installation import install as fill  # noqa: PLC0415 - slow to import, and seldom needed

    fill(home, parts)
