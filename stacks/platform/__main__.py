"""Entry point of `pulumi up`: reads settings and tenant files, then registers the platform."""

import sys
from pathlib import Path

# The engine runs this folder; the packages of the program are beside `Pulumi.yaml`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from stacks.platform.entry import main

main()
