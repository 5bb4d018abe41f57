"""The settings file tests start from: a file of theirs, so that an edit of the checkout's own breaks none of them."""

from __future__ import annotations

from pathlib import Path

SETTINGS_FILE = Path(__file__).parent / "data" / "Pulumi.lab.yaml"
