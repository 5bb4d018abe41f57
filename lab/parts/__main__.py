"""`python -m lab.parts [NAME...]`: makes parts in advance, for a CI cache or an image, and prints their folders."""

from __future__ import annotations

import sys

from lab.errors import LabError
from lab.parts import ensure


def main() -> int:
    """Exit code: 0 done, 1 failed, 130 interrupted."""
    try:
        folders = ensure(sys.argv[1:] or None)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    for name, folder in folders.items():
        print(f"{name}\t{folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
