"""Amounts as text, in the canonical form of the Kubernetes API server: what it returns is what was written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Binary suffixes, from the smallest one.
UNITS: Final[Mapping[str, int]] = {
    suffix: 1 << 10 * exponent for exponent, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)
}


def render_cpu(millicores: int) -> str:
    """Return millicores as text: ``4`` or ``1500m``."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def render_size(amount: int) -> str:
    """Return bytes as text, with the largest binary suffix that keeps an integer: ``8Gi``, ``1536Mi``, ``1000``."""
    for suffix, factor in reversed(list(UNITS.items())):
        if amount and amount % factor == 0:
            return f"{amount // factor}{suffix}"
    return str(amount)
