"""Entry point of `pulumi preview --policy-pack policy`: serves the policies to the engine until the run ends."""

import sys
from pathlib import Path

# The runner puts this folder first in the path. The packages beside it are meant, not the modules in it.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policy.pack import serve

serve()
