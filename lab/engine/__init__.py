"""The engine of a machine without the official `pulumi`: its command line, a Python language host, provider plugins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.home import LabHome


def install(home: LabHome, parts: Mapping[str, Path]) -> None:
    """Fill `home.bin`; see `lab.engine.installation.install`."""
    # Imported here: the language host is of this package too, and its start is waited for at every run.
    from lab.engine.installation import install as fill  # noqa: PLC0415

    fill(home, parts)
