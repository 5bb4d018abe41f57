"""Rules on a change: pure functions over plain values. `check` asks them all; docs/rules.md is for people."""

from usine.rules.model import Change
from usine.rules.registry import RULES, check

__all__ = ["RULES", "Change", "check"]
