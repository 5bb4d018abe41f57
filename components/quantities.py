"""Kubernetes quantities in the API server's own canonical form, so that what is read back equals what was written."""

from __future__ import annotations

_BINARY = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")


def cpu(millicores: int) -> str:
    """Render millicores: ``4`` or ``1500m``."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def size(amount: int) -> str:
    """Render bytes with the largest binary suffix that keeps an integer: ``8Gi``, ``1536Mi``, ``1000``."""
    if amount:
        for exponent, suffix in zip(range(len(_BINARY), 0, -1), _BINARY, strict=True):
            unit = 1024**exponent
            if amount % unit == 0:
                return f"{amount // unit}{suffix}"
    return str(amount)
