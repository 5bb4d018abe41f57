"""Converts between properties and fields of an API, for resource types that are a row of a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from lab.plugins.planning import Data, empty
from lab.plugins.wire import Properties

Convert = Callable[[Any], Any]
_NONE: Final[Mapping[str, Convert]] = {}


def snake(name: str) -> str:
    """Return the field that most APIs use for a property: `ciConfigPath` -> `ci_config_path`."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def fields(*names: str, **renamed: str) -> Mapping[str, str]:
    """Return a map of properties to fields: in snake case, unless the field has another name."""
    return {**{name: snake(name) for name in names}, **renamed}


def given(data: Data, names: Mapping[str, str], encode: Mapping[str, Convert] = _NONE) -> Properties:
    """Return a request body with the properties that have a value."""
    known = {name: field for name, field in names.items() if data.raw(name) is not None}
    return always(data, known, encode)


def always(data: Data, names: Mapping[str, str], encode: Mapping[str, Convert] = _NONE) -> Properties:
    """Return a request body with the properties; those without a value have the zero of their type."""
    return {field: encode.get(name, _same)(data.get(name)) for name, field in names.items()}


def take(
    data: Data,
    names: Mapping[str, str],
    found: Properties,
    *,
    decode: Mapping[str, Convert] = _NONE,
    nullable: Collection[str] = (),
    held: Collection[str] = (),
) -> None:
    """Read an answer into the properties.

    A missing field sets the property to the zero of its type, or to null if it is in `nullable`; a property in `held`
    does not change.
    """
    for name, field in names.items():
        value = found.get(field)
        if name in decode:
            value = decode[name](value)
        elif value is None and name in held:
            continue
        elif value is None and name not in nullable:
            value = empty(data.shape.fields[name])
        data.set(name, value)


def _same(value: Any) -> Any:  # noqa: ANN401 - property values have any type
    return value
