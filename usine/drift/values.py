"""The engine's wire values as JSON values that anyone may see."""

from __future__ import annotations

from collections.abc import Mapping

from pulumi.runtime import rpc

from usine.engine.redact import Redactor
from usine.plan.model import SECRET

#: Pulumi's markers of a secret on the wire and in the state.
SIGNATURE = rpc._special_sig_key
SECRET_SIGNATURE = rpc._special_secret_sig

#: Where a bridged plugin notes which inputs nobody gave.
DEFAULTS = "__defaults"
_LONGEST = 4000


def plain(value: object) -> object:
    """Turn a wire value into JSON values: secrets masked, whole numbers as integers."""
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return SECRET
        return {str(name): plain(item) for name, item in value.items() if name != DEFAULTS}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def properties(value: object, redactor: Redactor) -> dict[str, object]:
    """Return an object's properties as plain values; nothing for what is no mapping.

    Texts that are or look like credentials are masked too: providers have been seen to leave theirs unmarked.
    """
    found = redactor.value(plain(value))
    return found if isinstance(found, dict) else {}


def shortened(value: object) -> object:
    """Return a value as a report shows it: very long texts are cut."""
    if isinstance(value, dict):
        return {name: shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:_LONGEST]}… ({len(value):,} characters)"
    return value
