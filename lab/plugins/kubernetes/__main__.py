"""`python -m lab.plugins.kubernetes ENGINE_ADDRESS`: serves the plugin and prints its port."""

import sys

from lab.plugins.kubernetes.provider import make
from lab.plugins.server import main

if __name__ == "__main__":
    raise SystemExit(main(make, sys.argv[1:]))
