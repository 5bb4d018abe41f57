"""Cron texts with six fields, seconds first, for Harbor's schedules."""

from __future__ import annotations

import re
from typing import Final

_FIELDS: Final = 6
_RANGES: Final = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_NAMES: Final = {
    name: str(value)
    for names, first in (("jan feb mar apr may jun jul aug sep oct nov dec", 1), ("sun mon tue wed thu fri sat", 0))
    for value, name in enumerate(names.split(), first)
}
_TERM: Final = re.compile(r"(\*|\?|(\d{1,4})(?:-(\d{1,4}))?)(?:/(\d{1,4}))?")


def problem(cron: str) -> str | None:
    """Return the error in a cron text, or None."""
    if not cron:
        return "empty cron string is invalid"
    parts = cron.split()
    if len(parts) != _FIELDS:
        return f"expected exactly {_FIELDS} fields, found {len(parts)}: {parts}"
    for part, (low, high) in zip(parts, _RANGES, strict=True):
        for term in part.lower().split(","):
            text = re.sub(r"[a-z]{3}", lambda found: _NAMES.get(found[0], found[0]), term)
            found = _TERM.fullmatch(text)
            if not found:
                return f"failed to parse int from {term}"
            numbers = [int(number) for number in found.groups()[1:3] if number]
            if any(not low <= number <= high for number in numbers) or numbers != sorted(numbers):
                return f"{term} is not between {low} and {high}"
            if found[4] == "0":
                return f"step of range should be a positive number: {term}"
    if parts[0] != "0":
        return "the 1st field (indicating Seconds of time) of the cron setting must be 0"
    return None
