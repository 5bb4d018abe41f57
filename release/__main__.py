"""`make release-check`: reports the obstacles to tagging this version and builds its wheel in `out/release`."""

from __future__ import annotations

import sys
from pathlib import Path

from release.checks import problems, read_checkout
from release.wheel import WheelError, build_wheel, try_wheel
from usine import __version__

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Check, build, and try the wheel. The exit code is 1 unless the version can be tagged."""
    found = problems(read_checkout(ROOT, __version__))
    try:
        wheel = build_wheel(ROOT, ROOT / "out" / "release")
        try_wheel(wheel)
        print(f"{wheel.relative_to(ROOT)}: built, and imported from a separate folder")
    except WheelError as error:
        found.append(f"the wheel: {error}")
    for problem in found:
        print(problem, file=sys.stderr)
    if not found:
        print(f"ready: git tag -a v{__version__} -m v{__version__}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
