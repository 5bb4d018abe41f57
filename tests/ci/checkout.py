"""This checkout, in place of a job's image: no test waits for packages."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def as_checked_out(clone: Path) -> None:
    """Link a clone's `.venv` to this checkout's, so that `make venv` is up to date."""
    (clone / ".venv").symlink_to(ROOT / ".venv")
    (clone / ".git" / "info" / "exclude").write_text("/.venv\n", encoding="utf-8")
    # Older than the environment: nothing to install. Otherwise this checkout's `lab` would be that of the clone.
    for file in (*clone.glob("requirements*"), *clone.glob("lab/pyproject.toml")):
        os.utime(file, (0, 0))
