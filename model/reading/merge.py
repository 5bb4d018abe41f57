"""Keys of files as plain values: merged, and looked up by their path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from model.problems import KeyPath

_NOTHING: Final = object()


def overlay(defaults: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """Return `stated` over `defaults`: mappings merge key by key, at every level; lists and plain values replace."""
    merged = {**defaults, **stated}
    for key, value in stated.items():
        if type(value) is dict and isinstance(below := defaults.get(key), Mapping):
            merged[key] = overlay(below, value)
    return merged


def holds(value: object, path: KeyPath) -> bool:
    """Return whether nested mappings and lists have a value at a path."""
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part, _NOTHING)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return False
    return value is not _NOTHING
