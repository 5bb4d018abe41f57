"""Derives inputs from outputs: a refresh or an import returns them as the resource's new inputs."""

from __future__ import annotations

from collections.abc import Mapping

from lab.plugins.checking import DEFAULTS
from lab.plugins.planning import is_zero
from lab.plugins.schema import Field
from lab.plugins.wire import Properties, Value


def refreshed(fields: Mapping[str, Field], inputs: Mapping[str, Value], outputs: Mapping[str, Value]) -> Properties:
    """Return the program's inputs with the server's current values.

    A default stays in `__defaults` if the server still has its value, else it is removed from there.
    """
    found = {
        name: _follow(fields.get(name), value, outputs[name])
        for name, value in inputs.items()
        if name != DEFAULTS and outputs.get(name) is not None
    }
    listed = inputs.get(DEFAULTS)
    if isinstance(listed, list):
        found[DEFAULTS] = [name for name in listed if name in found and found[name] == inputs.get(name)]
    return found


def _follow(field: Field | None, given: Value, now: Value) -> Value:
    if field is not None and field.kind == "object" and field.fields is not None:
        return refreshed(field.fields, given, now) if isinstance(given, dict) and isinstance(now, dict) else now
    if isinstance(given, list) and isinstance(now, list):
        elem = None if field is None else field.elem
        return [_follow(elem, old, new) for old, new in zip(given, now, strict=False)]
    if isinstance(given, dict) and isinstance(now, dict):
        return {key: now[key] for key in given if key in now}
    return now


def imported(fields: Mapping[str, Field], outputs: Mapping[str, Value]) -> Properties:
    """Return inputs that describe the current object, without values that equal a default or zero."""
    result: Properties = {}
    for name, value in outputs.items():
        field = fields.get(name)
        if field is None or not field.input:
            continue
        taken = _take(field, value)
        default = is_zero(taken) if field.default is None else taken == field.default
        if field.required or not (default or taken == {DEFAULTS: []}):
            result[name] = taken
    result[DEFAULTS] = []
    return result


def _take(field: Field, value: Value) -> Value:
    if field.kind == "object" and field.fields is not None and isinstance(value, dict):
        return imported(field.fields, value)
    if field.kind == "map" and isinstance(value, dict):
        return {**value, DEFAULTS: []}
    if isinstance(value, list) and field.elem is not None:
        return [_take(field.elem, item) for item in value]
    return value
