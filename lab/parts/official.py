"""Whether official programs are used, and the official engine of this machine, which is then taken as it is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab.engine.wrappers import is_ours
from lab.parts.cache import default_root

_CHECKOUT = Path(__file__).resolve().parents[2]

_VARIABLE = "USINE_LAB_PARTS"


def build_only() -> bool:
    """Whether nothing official is used, neither of this machine nor of a release: USINE_LAB_PARTS=build."""
    return os.environ.get(_VARIABLE) == "build"


def force_build() -> None:
    """Ask for that, for this process and its children."""
    os.environ[_VARIABLE] = "build"


def official_pulumi() -> Path | None:
    """The official `pulumi` on the PATH, or None: there is none, its Python host is missing, or a build is asked for.

    Ours is not taken for it: neither out of the cache, nor through links of a local platform whose `bin` is on the
    PATH.
    """
    if build_only():
        return None
    found = [shutil.which(name, path=_foreign_path()) for name in ("pulumi", "pulumi-language-python")]
    engine = found[0]
    return Path(engine) if engine and all(found) else None


def why_pulumi_is_not_made() -> str | None:
    """`official one at /usr/bin/pulumi`, or None when it has to be made."""
    engine = official_pulumi()
    return f"not needed, the official one is at {engine}" if engine else None


def _foreign_path() -> str:
    """The PATH without folders whose `pulumi` or host is one of ours."""
    ours = (default_root().resolve(), _CHECKOUT)
    kept = []
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        programs = [Path(folder) / name for name in ("pulumi", "pulumi-language-python")]
        if is_ours(Path(folder)):
            continue
        if not any(root in path.resolve().parents for path in programs if path.exists() for root in ours):
            kept.append(folder)
    return os.pathsep.join(kept)
