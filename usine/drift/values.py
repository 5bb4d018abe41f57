"""Values of the engine as JSON values without secrets."""

from __future__ import annotations

from pulumi_facts.values import plain
from usine.engine.redact import Redactor

_LONGEST = 4000


def properties(value: object, redactor: Redactor) -> dict[str, object]:
    """Return the properties of an object as plain values; of a value that is no mapping, none.

    Texts that are or look like credentials are masked too: some providers do not mark them as secret.
    """
    found = redactor.value(plain(value))
    return found if isinstance(found, dict) else {}


def shortened(value: object) -> object:
    """Return a value as a report shows it, with very long texts cut."""
    if isinstance(value, dict):
        return {name: shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:_LONGEST]}… ({len(value):,} characters)"
    return value
