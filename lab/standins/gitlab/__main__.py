"""`python -m lab.standins.gitlab CONFIG_FILE`: serves until a signal stops it."""

from __future__ import annotations

import sys
from pathlib import Path

from lab.standins.gitlab.app import create_app
from lab.standins.serve import Configuration, serve


def main() -> None:
    """Read the configuration file from the command line, and serve."""
    try:
        configuration = Configuration.read(Path(sys.argv[1]))
    except IndexError:
        sys.exit("usage: python -m lab.standins.gitlab CONFIG_FILE")
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"{sys.argv[1]} is not a configuration: {error}")
    serve(create_app(configuration), configuration)


main()
