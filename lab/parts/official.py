"""Whether official programs are used, and where this machine's official engine is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab.engine.wrappers import is_ours
from lab.parts.cache import default_root

_CHECKOUT = Path(__file__).resolve().parents[2]

_VARIABLE = "USINE_LAB_PARTS"


def build_only() -> bool:
    """Whether USINE_LAB_PARTS=build forbids official programs, both installed ones and releases."""
    return os.environ.get(_VARIABLE) == "build"


def force_build() -> None:
    """Set USINE_LAB_PARTS=build for this process and its children."""
    os.environ[_VARIABLE] = "build"


def official_pulumi() -> Path | None:
    """Return the official `pulumi` on the PATH.

    None if there is none, if its Python language host is missing, or if a build is requested. A `pulumi` that the lab
    built does not count, neither in the cache nor in the `bin` of a local platform.
    """
    if build_only():
        return None
    found = [shutil.which(name, path=_foreign_path()) for name in ("pulumi", "pulumi-language-python")]
    engine = found[0]
    return Path(engine) if engine and all(found) else None


def why_pulumi_is_not_made() -> str | None:
    """Return the reason why the part is not needed, or None when it has to be made."""
    engine = official_pulumi()
    return f"not needed, the official one is at {engine}" if engine else None


def _foreign_path() -> str:
    """Return the PATH without folders whose `pulumi` or language host was built by the lab."""
    ours = (default_root().resolve(), _CHECKOUT)
    kept = []
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        programs = [Path(folder) / name for name in ("pulumi", "pulumi-language-python")]
        if is_ours(Path(folder)):
            continue
        if not any(root in path.resolve().parents for path in programs if path.exists() for root in ours):
            kept.append(folder)
    return os.pathsep.join(kept)
