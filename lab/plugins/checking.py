"""Check: validates the program's inputs and adds defaults and names, as a bridged provider does.

`__defaults` in the inputs lists the added defaults at each level, as in the official plugins. With it, a later run
knows whether a name was generated or set by the program.
"""

from __future__ import annotations

import difflib
import random
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Final

from lab.plugins.planning import is_zero
from lab.plugins.schema import Field, Shape
from lab.plugins.wire import Properties, Secret, Unknown, Value

DEFAULTS: Final = "__defaults"
_NAME_SUFFIX: Final = 7
_NAME_LIMIT: Final = 255


@dataclass
class Naming:
    """The engine's options for a name: its proposal, its mode (`propose`, `enforce`, `disable`), and a seed."""

    name: str
    seed: bytes = b""
    proposed: str | None = None
    mode: str | None = None

    def make(self) -> str | None:
        """Return a name for a resource without one, or None when naming is disabled."""
        if self.mode == "disable":
            return None
        if self.mode == "enforce" or (self.mode == "propose" and self.proposed):
            return self.proposed
        if self.seed:
            digits = random.Random(self.seed)  # noqa: S311 - must be the same for the same seed
            suffix = "".join(digits.choice("0123456789abcdef") for _ in range(_NAME_SUFFIX))
        else:
            suffix = secrets.token_hex(_NAME_SUFFIX)[:_NAME_SUFFIX]
        return f"{self.name[: _NAME_LIMIT - _NAME_SUFFIX - 1]}-{suffix}"


@dataclass
class Checked:
    """The checked inputs, and one sentence for each reason to refuse them."""

    inputs: Properties
    failures: list[str] = dataclass_field(default_factory=list)


def check(shape: Shape, resource: str, old: Mapping[str, Value], news: Mapping[str, Value], naming: Naming) -> Checked:
    """Validate `news` against the shape; `old` are the previous inputs, `resource` is the name in messages."""
    result = Checked({})
    given = _level(shape.fields, shape.unsupported, news, resource, "", result.failures)
    _named(shape.fields, old, given, naming)
    result.failures.extend(_exclusive(shape, given, resource))
    result.failures.extend(_relations(shape.fields, given, resource))
    if shape.framework:
        given.pop(DEFAULTS, None)  # there the plan has the defaults, and generated names are not distinguished
        result.inputs = given
    else:
        result.inputs = _defaults(shape.fields, old, given)
    return result


def _at(resource: str, path: str, reason: str) -> str:
    return f"{reason}. Examine values at '{resource}.{path}'."


def unsupported(name: str) -> str:
    """Return the message for a property or a setting that only the official plugin supports."""
    return f"the local platform's plugin does not support {name}"


def _level(
    fields: Mapping[str, Field],
    refused: Collection[str],
    news: Mapping[str, Value],
    resource: str,
    prefix: str,
    failures: list[str],
) -> Properties:
    """Coerce one level of an object; append unknown names and wrong types to `failures`."""
    kept: Properties = {}
    for name, value in news.items():
        if name.startswith("__") or value is None:
            continue
        path = f"{prefix}{name}"
        field = fields.get(name)
        if name in refused:
            failures.append(_at(resource, path, unsupported(path)))
            continue
        if field is None or not field.input:
            allowed = [key for key, item in fields.items() if item.input]
            near = difflib.get_close_matches(name, allowed, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            failures.append(_at(resource, path, "Invalid or unknown key") + hint)
            continue
        kept[name] = _coerce(field, value, resource, path, failures)
    return kept


def _coerce(field: Field, value: Value, resource: str, path: str, failures: list[str]) -> Value:
    if isinstance(value, Unknown) or value is None:
        return value
    if field.kind in ("list", "set"):
        items = value if isinstance(value, list) else [value]
        if field.elem is None:
            return items
        return [_coerce(field.elem, item, resource, f"{path}[{i}]", failures) for i, item in enumerate(items)]
    if field.kind in ("map", "object"):
        if not isinstance(value, dict):
            failures.append(_at(resource, path, f"Expected a map, got {_kind(value)}"))
            return value
        if field.kind == "object" and field.fields is not None:
            inner = _level(field.fields, field.unsupported, value, resource, f"{path}.", failures)
            failures.extend(_missing(field.fields, inner, f"{path}."))
            failures.extend(_relations(field.fields, inner, resource, f"{path}.", required=False))
            return inner
        elem = field.elem
        if elem is None:
            return value
        return {
            key: _coerce(elem, item, resource, f"{path}.{key}", failures)
            for key, item in value.items()
            if key != DEFAULTS  # an import has no list of defaults, also not in maps
        }
    scalar, wrong = _scalar(field, value)
    if wrong:
        failures.append(_at(resource, path, wrong))
    elif field.validate is not None and (reason := field.validate(scalar)):
        failures.append(_at(resource, path, reason))
    return scalar


def _kind(value: Value) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    names: dict[type, str] = {str: "string", list: "list", dict: "map"}
    return names.get(type(value), type(value).__name__)


def _scalar(field: Field, value: Value) -> tuple[Value, str | None]:
    """Convert between scalar types as the upstream SDK does; append a message to `failures` otherwise."""
    upstream = {"string": "string", "boolean": "bool", "integer": "int", "number": "float"}[field.kind]
    wrong = f"expected type '{upstream}', got unconvertible type '{_kind(value)}'"
    if isinstance(value, list | dict):
        return value, wrong
    if field.kind == "string":
        if isinstance(value, bool):
            return ("true" if value else "false"), None
        return str(value), None
    if field.kind == "boolean":
        texts = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
        if isinstance(value, bool):
            return value, None
        return (texts[value.lower()], None) if isinstance(value, str) and value.lower() in texts else (value, wrong)
    if isinstance(value, bool):
        return value, wrong
    try:
        return (int(value) if field.kind == "integer" else float(value)), None
    except (TypeError, ValueError):
        return value, wrong


def _missing(fields: Mapping[str, Field], given: Mapping[str, Value], prefix: str = "") -> list[str]:
    return [
        f"Missing required property '{prefix}{name}'"
        for name, field in fields.items()
        if field.required and field.input and given.get(name) is None and field.default is None
    ]


def _relations(
    fields: Mapping[str, Field], given: Mapping[str, Value], resource: str, prefix: str = "", *, required: bool = True
) -> list[str]:
    failures = _missing(fields, given, prefix) if required else []
    for name in given:
        field = fields.get(name)
        if field is None:
            continue
        failures.extend(
            _at(resource, f"{prefix}{name}", f'Conflicting configuration arguments. "{name}": conflicts with {other}')
            for other in field.conflicts
            if other in given
        )
        failures.extend(
            _at(
                resource,
                f"{prefix}{name}",
                f'Missing required argument. "{name}": all of {name},{other} must be specified',
            )
            for other in field.required_with
            if other not in given
        )
    return failures


def _exclusive(shape: Shape, given: Mapping[str, Value], resource: str) -> list[str]:
    count = sum(1 for name in shape.exactly_one if name in given)
    if not shape.exactly_one or count == 1:
        return []
    names = ",".join(shape.exactly_one)
    wrong = (
        f'"{shape.exactly_one[0]}": only one of `{names}` can be specified, but `{names}` were specified'
        if count
        else f'"{shape.exactly_one[0]}": one of `{names}` must be specified'
    )
    return [_at(resource, shape.exactly_one[0], f"Invalid combination of arguments. {wrong}")]


def _named(fields: Mapping[str, Field], old: Mapping[str, Value], given: Properties, naming: Naming) -> None:
    """Generate a name if there is none, or keep the one of an earlier run; record it for `_defaults`."""
    for name, field in fields.items():
        if not field.autoname or name in given:
            continue
        earlier = old.get(name) if _was_default(old, name) else None
        made = earlier if isinstance(earlier, str) else naming.make()
        if made is not None:
            given[name] = made
            given[DEFAULTS] = [*given.get(DEFAULTS, []), name]


def _was_default(old: Mapping[str, Value], name: str) -> bool:
    listed = old.get(DEFAULTS)
    return name in old and (listed is None or (isinstance(listed, list) and name in listed))


def _defaults(fields: Mapping[str, Field], old: Mapping[str, Value], given: Properties) -> Properties:
    """Add defaults and list them, at every level. Zero defaults are added only if the provider does so."""
    result: Properties = {}
    listed: list[str] = list(given.get(DEFAULTS, []))
    for name, value in given.items():
        if name != DEFAULTS:
            result[name] = _nested(fields[name], old.get(name), value)
    conflicting = {other for name in given if name in fields for other in fields[name].conflicts}
    for name, field in fields.items():
        if name in result or field.default is None or name in conflicting or (field.deprecated and not field.required):
            continue
        if _was_default(old, name):
            result[name] = old[name]
            listed.append(name)
        elif field.zero_default or not is_zero(field.default):
            result[name] = field.default
            listed.append(name)
    result[DEFAULTS] = sorted(listed)
    return result


def _nested(field: Field, old: Value, value: Value) -> Value:
    if field.kind == "object" and field.fields is not None and isinstance(value, dict):
        return _defaults(field.fields, old if isinstance(old, dict) else {}, value)
    if (
        field.kind in ("list", "set")
        and isinstance(value, list)
        and field.elem is not None
        and field.elem.kind == "object"
    ):
        before = old if isinstance(old, list) else []
        return [_nested(field.elem, before[i] if i < len(before) else None, item) for i, item in enumerate(value)]
    return value


def mark(fields: Mapping[str, Field], values: Mapping[str, Value], *, nulls: bool = True) -> Properties:
    """Mark the values of secret fields; with `nulls` also null ones, as in outputs of the official plugins."""
    marked: Properties = {}
    for name, value in values.items():
        field = fields.get(name)
        if field is None:
            marked[name] = value
        elif field.secret:
            marked[name] = Secret(value) if value is not None or nulls else None
        else:
            marked[name] = _mark_inside(field, value, nulls=nulls)
    return marked


def _mark_inside(field: Field, value: Value, *, nulls: bool) -> Value:
    if field.kind == "object" and field.fields is not None and isinstance(value, dict):
        return mark(field.fields, value, nulls=nulls)
    if isinstance(value, list) and field.elem is not None and field.elem.kind == "object":
        return [_mark_inside(field.elem, item, nulls=nulls) for item in value]
    return value


def plain(fields: Mapping[str, Field], inputs: Mapping[str, Value]) -> Properties:
    """Return the inputs without `__defaults`, at every level."""
    return {
        name: _plain_value(fields[name], value)
        for name, value in inputs.items()
        if not name.startswith("__") and name in fields
    }


def _plain_value(field: Field, value: Value) -> Value:
    if field.kind == "object" and field.fields is not None and isinstance(value, dict):
        return plain(field.fields, value)
    if isinstance(value, list) and field.elem is not None:
        return [_plain_value(field.elem, item) for item in value]
    if field.kind == "map" and isinstance(value, dict):
        return {key: item for key, item in value.items() if key != DEFAULTS}
    return value
