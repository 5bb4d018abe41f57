"""`python -m lab.plugins.vault ENGINE_ADDRESS`: serves the plugin and prints its port."""

import sys

from lab.plugins.server import main
from lab.plugins.vault.provider import make

if __name__ == "__main__":
    raise SystemExit(main(make, sys.argv[1:]))
