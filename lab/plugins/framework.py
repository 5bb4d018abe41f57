"""Resources that the official plugin builds on Terraform's newer plugin framework, which plans differently.

The plan has the defaults, and the inputs do not. Null and empty are two values. A computed value that the program does
not set is unknown again when another value changes, unless it is `kept`. The schema marks no property as
replace-on-change: `replacing` lists them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lab.plugins import schema
from lab.plugins.planning import canonical, sort_set
from lab.plugins.schema import Field, Shape, Validate
from lab.plugins.wire import UNKNOWN, Properties, Unknown, Value, has_unknown

if TYPE_CHECKING:
    from lab.plugins.bridge import Customise


def resource(
    token: str,
    *,
    sets: Collection[str] = (),
    autoname: Collection[str] = (),
    default: Mapping[str, Value] | None = None,
    kept: Collection[str] = (),
    inside: Mapping[str, Collection[str]] | None = None,
    **overrides: Mapping[str, Any],
) -> Shape:
    """Read the shape of `token`; `inside` names the computed fields in a property's objects.

    A field with a `default` is never unknown; `overrides` are those of `Shape.tuned`.
    """
    shape = schema.resource(token, sets=sets, autoname=autoname)
    shape = shape.tuned(
        default=default or {},
        computed=dict.fromkeys(default or {}, False),
        kept=dict.fromkeys(kept, True),
        **overrides,
    )
    fields = dict(shape.fields)
    for name, names in (inside or {}).items():
        fields[name] = _computed_inside(fields[name], names)
    return replace(shape, fields=fields, framework=True)


def _computed_inside(field: Field, names: Collection[str]) -> Field:
    if field.elem is not None:
        return replace(field, elem=_computed_inside(field.elem, names))
    inner = {
        name: replace(item, computed=item.computed or name in names) for name, item in (field.fields or {}).items()
    }
    return replace(field, fields=inner)


def replacing(*names: str) -> Customise:
    """Return a customisation with which a change of one of these properties requires a replacement."""

    def customise(prior: Properties | None, _planned: Properties, _inputs: Mapping[str, Value]) -> set[str]:
        return set() if prior is None else set(names)

    return customise


def plan(
    shape: Shape, prior: Properties | None, inputs: Mapping[str, Value], ignored: Collection[str] = ()
) -> Properties:
    """Return the state after the operation, with `UNKNOWN` for values that only the server knows."""
    before = None if prior is None else {name: full(field, prior.get(name)) for name, field in shape.fields.items()}
    planned = _values(shape, before, inputs, ignored, open_ended=before is None)
    if before is None:
        return planned
    if any(not _same(before[name], planned[name]) for name in shape.fields):
        planned = _values(shape, before, inputs, ignored, open_ended=True)
    held = prior or {}
    return {name: held.get(name) if _same(before[name], planned[name]) else planned[name] for name in shape.fields}


def _values(
    shape: Shape, before: Properties | None, inputs: Mapping[str, Value], ignored: Collection[str], *, open_ended: bool
) -> Properties:
    return {
        name: before[name]
        if before is not None and name in ignored
        else _value(field, None if before is None else before[name], inputs.get(name), open_ended=open_ended)
        for name, field in shape.fields.items()
    }


def _value(field: Field, old: Value, given: Value, *, open_ended: bool) -> Value:
    """Plan one value; `open_ended` makes computed values unknown."""
    if isinstance(given, Unknown):
        return UNKNOWN
    if given is None:
        if field.default is not None or not field.computed:
            return field.default
        return UNKNOWN if open_ended and not (field.kept and old is not None) else old
    if field.kind == "object" and field.fields is not None and isinstance(given, dict):
        held = old if isinstance(old, dict) else {}
        return {
            name: _value(inner, held.get(name), given.get(name), open_ended=open_ended)
            for name, inner in field.fields.items()
        }
    if field.kind in ("list", "set") and isinstance(given, list) and field.elem is not None:
        return _items(field, field.elem, old if isinstance(old, list) else [], given, open_ended=open_ended)
    return given


def _items(field: Field, elem: Field, old: list[Value], given: list[Value], *, open_ended: bool) -> list[Value]:
    if elem.kind != "object":
        return sort_set(given) if field.kind == "set" else list(given)
    if field.kind == "set":
        return sort_set([_value(elem, _like(old, item), item, open_ended=open_ended) for item in given])
    return [_value(elem, old[i] if i < len(old) else None, item, open_ended=open_ended) for i, item in enumerate(given)]


def _like(old: list[Value], given: Value) -> Value:
    """Return the member of a set that matches the program's values; the server sets its other values."""
    if not isinstance(given, dict):
        return None
    return next((item for item in old if all(item.get(name) == value for name, value in given.items())), None)


def full(field: Field, value: Value) -> Value:
    """Return the value with every property of its objects, because the engine omits nulls."""
    if field.kind == "object" and field.fields is not None and isinstance(value, dict):
        return {name: full(inner, value.get(name)) for name, inner in field.fields.items()}
    if field.kind in ("list", "set") and isinstance(value, list) and field.elem is not None:
        items = [full(field.elem, item) for item in value]
        return sort_set(items) if field.kind == "set" else items
    return value


def _same(old: Value, new: Value) -> bool:
    return not has_unknown(new) and canonical(old) == canonical(new)


def one_of(attribute: str, *allowed: str) -> Validate:
    """Return a check that a string is one of `allowed`; `attribute` is the property's name upstream."""
    listed = " ".join(json.dumps(item) for item in allowed)

    def check(value: Value) -> str | None:
        if value in allowed:
            return None
        return (
            f"Invalid Attribute Value Match. Attribute {attribute} value must be one of: [{listed}], "
            f"got: {json.dumps(value)}"
        )

    return check


def matching(attribute: str, pattern: str, otherwise: str) -> Validate:
    """Return a check that a string matches `pattern`; `otherwise` is the message if it does not."""
    compiled = re.compile(pattern)

    def check(value: Value) -> str | None:
        if compiled.search(str(value)):
            return None
        return f"Invalid Attribute Value Match. Attribute {attribute} {otherwise}, got: {value}"

    return check
