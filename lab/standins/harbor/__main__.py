"""`python -m lab.standins.harbor CONFIG_FILE`: serves until a signal stops it."""

from __future__ import annotations

import sys
from pathlib import Path

from lab.standins.harbor.app import create_app
from lab.standins.serve import Configuration, serve


def main(argv: list[str]) -> int:
    """Return the exit code: 0 after a stop, 2 for unusable arguments or an unusable file."""
    if len(argv) != 1:
        sys.stderr.write("usage: python -m lab.standins.harbor CONFIG_FILE\n")
        return 2
    try:
        configuration = Configuration.read(Path(argv[0]))
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"{argv[0]} is not a configuration of this server: {type(error).__name__}\n")
        return 2
    serve(create_app(configuration), configuration)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
