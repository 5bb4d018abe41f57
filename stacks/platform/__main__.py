"""Entry point of `pulumi up`: reads settings and tenant files, then registers the platform."""

import gc
import sys
from pathlib import Path

gc.disable()  # for the imports, whose objects live until the end; `main` enables it

# The engine runs this folder; the packages of the program are beside `Pulumi.yaml`.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from stacks.platform.entry import main  # noqa: E402 - without the collector

main()
