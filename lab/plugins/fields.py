"""Which property is which field of an API, both ways: what the row of a regular resource type says."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from lab.plugins.planning import Data, empty
from lab.plugins.wire import Properties

Convert = Callable[[Any], Any]
_NONE: Final[Mapping[str, Convert]] = {}


def snake(name: str) -> str:
    """Turn a property into the field that most APIs have for it: `ciConfigPath` -> `ci_config_path`."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def fields(*names: str, **renamed: str) -> Mapping[str, str]:
    """Return property -> field: the property in snake case, unless the field has another name."""
    return {**{name: snake(name) for name in names}, **renamed}


def given(data: Data, names: Mapping[str, str], encode: Mapping[str, Convert] = _NONE) -> Properties:
    """Return the request for the properties that have a value."""
    known = {name: field for name, field in names.items() if data.raw(name) is not None}
    return always(data, known, encode)


def always(data: Data, names: Mapping[str, str], encode: Mapping[str, Convert] = _NONE) -> Properties:
    """Return the request for the properties; one without a value is the zero of its kind."""
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
    """Read an answer into properties.

    What it lacks becomes the zero of its kind, null for those in `nullable`, and stays as it is for those in `held`.
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


def _same(value: Any) -> Any:  # noqa: ANN401 - property values are open by nature
    return value
