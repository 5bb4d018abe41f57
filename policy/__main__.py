"""Entry point of `pulumi preview --policy-pack policy`: serves the policies to the engine until it is done."""

import sys
from pathlib import Path

# The runner puts this folder first; the packages beside it are meant, and nothing here shall pass for one of them.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policy.pack import serve

serve()
