"""Unique names for objects of tests."""

from __future__ import annotations

import uuid


def name(prefix: str = "x") -> str:
    """Return a unique name."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"
