# ruff: noqa: ANN401 - property values have any type
"""Plans the state after an operation by the upstream SDK's rules, with Pulumi's property names.

A plan compares the program's inputs with the state as read back from the server, not with the previous inputs. A value
that the server normalises is therefore a change at every run, as with the official plugins.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from lab.plugins.schema import Field, Shape
from lab.plugins.wire import UNKNOWN, Properties, Unknown, Value, has_unknown


def is_zero(value: Value) -> bool:
    """Whether the upstream SDK treats the value as not set."""
    return value is None or value in ("", 0, False) or value in ([], {})


def canonical(value: Value) -> str:
    """Return a text that is equal for equal values, to compare and sort members of sets."""
    return json.dumps(value, sort_keys=True, default=repr)


def same(field: Field, old: Value, new: Value) -> bool:
    """Whether two values of a field are equal; sets have no order."""
    if isinstance(old, Unknown) or isinstance(new, Unknown):
        return False
    if field.kind == "set" and isinstance(old, list) and isinstance(new, list):
        return {canonical(item) for item in old} == {canonical(item) for item in new}
    return type(old) is type(new) and bool(old == new)


def plan(
    shape: Shape, prior: Properties | None, inputs: Mapping[str, Value], ignored: Collection[str] = ()
) -> Properties:
    """Return the state after the operation, with `UNKNOWN` for values that only the server knows.

    `prior` is None for a creation; `ignored` names top-level properties whose changes are ignored.
    """
    planned = {
        name: _plan_field(field, None if prior is None else prior.get(name), inputs.get(name), new=prior is None)
        for name, field in shape.fields.items()
    }
    if prior is None:
        return planned
    for name, field in shape.fields.items():
        before, after = prior.get(name), planned[name]
        suppressed = (
            field.suppress is not None
            and not has_unknown(after)
            and not same(field, before, after)
            and field.suppress(before, after, planned)
        )
        if suppressed or name in ignored:
            planned[name] = before
    return planned


def _plan_field(field: Field, old: Value, given: Value, *, new: bool) -> Value:
    if isinstance(given, Unknown):
        return UNKNOWN
    if given is None:
        return _plan_unset(field, old, new=new)
    if field.kind == "object" and field.fields is not None and isinstance(given, dict):
        before = old if isinstance(old, dict) else None
        return {
            name: _plan_field(inner, None if before is None else before.get(name), given.get(name), new=before is None)
            for name, inner in field.fields.items()
        }
    if field.kind in ("list", "set") and isinstance(given, list) and field.elem is not None:
        return _plan_items(field, field.elem, old, given)
    if field.normalise is not None and isinstance(given, str):
        given = field.normalise(given)
    if field.computed and given == "" and old not in (None, ""):
        return old  # for computed values, the upstream SDK treats an empty string as not set
    if not new and old is None and given == "":
        return None
    return given


def _plan_items(field: Field, elem: Field, old: Value, given: list[Value]) -> list[Value]:
    before = old if isinstance(old, list) else []
    if elem.kind == "object":
        items = [
            _plan_field(elem, before[i] if i < len(before) else None, item, new=i >= len(before))
            for i, item in enumerate(given)
        ]
    else:
        items = list(given)
    if field.kind != "set":
        return items
    if isinstance(old, list) and same(field, old, items):
        return old
    return sort_set(items)


def _plan_unset(field: Field, old: Value, *, new: bool) -> Value:
    if field.default is not None and not (field.default == "" and is_zero(old)):
        return field.default
    if new:
        return UNKNOWN if field.computed else None
    if field.computed or field.sticky or is_zero(old):
        return old
    return None


def sort_set(items: list[Value]) -> list[Value]:
    """Return the members of a set without duplicates, in the official plugins' order."""
    unique = {canonical(item): item for item in items}
    return [unique[key] for key in sorted(unique)]


class Data:
    """One resource during an operation: its plan, its prior state, and the server's answers.

    Resource modules read it with `get` and write it with `set`. The id is empty if the object is gone.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        id_: str = "",
        prior: Properties | None = None,
        planned: Properties | None = None,
        inputs: Mapping[str, Value] | None = None,
    ) -> None:
        """Start from `planned` (an operation) or, if that is None, from `prior` (a read)."""
        self.shape = shape
        self.id = id_
        self.new = prior is None
        self.inputs: Mapping[str, Value] = inputs or {}
        self._prior = prior or {}
        self._planned = planned if planned is not None else dict(self._prior)
        self._set: Properties = {}

    def get(self, name: str) -> Any:
        """Return the current value, or the zero of its type: `""`, False, 0, [], {}, or None for an object."""
        value = self._set[name] if name in self._set else self._planned.get(name)
        if value is None or isinstance(value, Unknown):
            return empty(self.shape.fields[name])
        return value

    def raw(self, name: str) -> Any:
        """Return the current value, or None if it is not set or not known."""
        value = self._set[name] if name in self._set else self._planned.get(name)
        return None if isinstance(value, Unknown) else value

    def ok(self, name: str) -> bool:
        """Whether the value is set and not zero."""
        return not is_zero(self.raw(name))

    def old(self, name: str) -> Any:
        """Return the prior value, or None."""
        return self._prior.get(name)

    def changed(self, name: str) -> bool:
        """Whether the operation changes the value; not set and zero are equal."""
        before, after = self._prior.get(name), self._planned.get(name)
        if is_zero(before) and is_zero(after):
            return False
        return not same(self.shape.fields[name], before, after)

    def set(self, name: str, value: Value) -> None:
        """Set the server's value; None becomes the zero of the type, as in the upstream SDK.

        In the upstream framework, None stays None.
        """
        field, nulls = self.shape.fields[name], self.shape.framework
        self._set[name] = (None if nulls else empty(field)) if value is None else cast(field, value, nulls=nulls)

    def state(self, *, applied: bool) -> Properties:
        """Return the state: the server's values, else the planned ones, with nulls as in the plan."""
        result: Properties = {}
        for name, field in self.shape.fields.items():
            target = self._planned.get(name)
            if self.shape.framework:
                result[name] = self.raw(name)
                continue
            value = self._set.get(name, _missing_value(field) if isinstance(target, Unknown) else target)
            final = _final(field, value, target, applied=applied)
            result[name] = [] if final is None and _is_block(field) else final
        return result


def _missing_value(field: Field) -> Value:
    """Return the value of a computed property that the server did not answer."""
    return [] if field.kind in ("list", "set") else None


def _is_block(field: Field) -> bool:
    """Whether a field is a list of blocks, which is never null in upstream."""
    return field.kind in ("list", "set") and field.elem is not None and field.elem.kind == "object"


def empty(field: Field) -> Value:
    """Return the zero of a field's type."""
    if field.kind in ("list", "set"):
        return []
    if field.kind == "map":
        return {}
    return field.zero


def cast(field: Field, value: Value, *, nulls: bool = False) -> Value:
    """Convert a server's value to the field's type: sets are sorted, map values are strings, `nulls` stay null."""
    if value is None:
        return None
    if field.kind in ("list", "set"):
        items = [item if field.elem is None else cast(field.elem, item, nulls=nulls) for item in value]
        return sort_set(items) if field.kind == "set" else items
    if field.kind == "map":
        return {str(key): _text(item) for key, item in value.items()}
    if field.kind == "object" and field.fields is not None:
        return {
            name: empty(inner)
            if name in value and value[name] is None and not nulls
            else cast(inner, value.get(name), nulls=nulls)
            for name, inner in field.fields.items()
        }
    if field.kind == "integer":
        return int(value) if value != "" else 0
    if field.kind == "boolean" and isinstance(value, str):
        return value.lower() == "true"
    return _text(value) if field.kind == "string" else value


def _text(value: Value) -> Value:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else value if isinstance(value, str) else str(value)


def _final(field: Field, value: Value, target: Value, *, applied: bool) -> Value:
    """Choose between null and empty, and keep planned sets, as the upstream SDK does after an operation."""
    if isinstance(target, Unknown):
        return value
    collection = field.kind in ("list", "set", "map")
    if applied and collection:
        if target is None and value in ([], {}):
            return target
        if value is None and target in ([], {}):
            return target
    if target is None or has_unknown(target):
        return value
    if field.kind == "object" and field.fields is not None and value is not None:
        return {
            name: _final(inner, value.get(name), target.get(name), applied=applied)
            for name, inner in field.fields.items()
        }
    if field.kind == "set" and applied:
        return target
    if field.kind == "list" and value is None and target == [] and not applied:
        return target
    if field.kind == "string" and value is None and target == "":
        return target
    return value
