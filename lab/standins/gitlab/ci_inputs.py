# ruff: noqa: ANN401 - YAML has any type
"""`spec:inputs` of a file: the checks of their values, and the blocks `$[[ inputs.name | function ]]`."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any, Final

from lab.standins.gitlab import ci_variables

_BLOCK: Final = re.compile(r"\$\[\[\s*(.*?)\s*\]\]")
_KEYS: Final = frozenset({"default", "description", "options", "regex", "type", "rules"})
_TYPES: Final = ("array", "boolean", "number", "string")
#: What a shell needs escaped (Shellwords.escape).
_PLAIN: Final = re.compile(r"[^\w.,:+/@\n-]", re.ASCII)
_MOST_OPTIONS: Final = 50
_MOST_FUNCTIONS: Final = 3
_MOST_ERRORS: Final = 3
_TRUNCATE: Final = re.compile(r"truncate\(\s*(\d+)\s*,\s*(\d+)\s*\)")


class InputError(Exception):
    """Wrong inputs; the argument is GitLab's message."""


def filled(text: str, header: Mapping[str, Any], given: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """Return the text with its blocks replaced; `known` are variables for `expand_vars`. Raises InputError."""
    wrong = [f"header config contains unknown keys: {key}" for key in header if key not in {"spec"}]
    spec = header.get("spec") or {}
    if not isinstance(spec, dict):
        raise InputError("header:spec config should be a hash")
    unknown = sorted(set(spec) - {"inputs", "component", "include"})
    if unknown:
        wrong.append(f"header:spec config contains unknown keys: {', '.join(unknown)}")
    inputs = spec.get("inputs") or {}
    if not isinstance(inputs, dict):
        raise InputError("header:spec:inputs config should be a hash")
    for name, described in inputs.items():
        wrong += _header_errors(f"header:spec:inputs:{name}", described)
    _refuse(wrong)
    unknown = sorted(str(name) for name in set(given) - set(inputs))
    if unknown:
        wrong.append(f"unknown input arguments: {', '.join(unknown)}")
    values: dict[str, Any] = {}
    for name, described in inputs.items():
        found, errors = _value(name, described or {}, given.get(name))
        values[name] = found
        wrong += errors
    _refuse(wrong)
    return _BLOCK.sub(lambda match: _block(match[1], values, known), text)


def _refuse(wrong: list[str]) -> None:
    if wrong:
        raise InputError(", ".join(wrong[:_MOST_ERRORS]))


def _header_errors(where: str, described: Any) -> list[str]:
    if described is None:
        return []
    if not isinstance(described, dict):
        return [f"{where} config should be a hash"]
    wrong = []
    unknown = sorted(set(described) - _KEYS)
    if unknown:
        wrong.append(f"{where} config contains unknown keys: {', '.join(unknown)}")
    if described.get("type") not in {None, *_TYPES}:
        wrong.append(f"{where} input type unknown value: {described['type']}")
    options = described.get("options")
    if options is not None and not isinstance(options, list):
        wrong.append(f"{where} input options should be a array")
    elif options is not None and len(options) > _MOST_OPTIONS:
        wrong.append(f"{where} config cannot define more than {_MOST_OPTIONS} options")
    if not isinstance(described.get("regex", ""), str):
        wrong.append(f"{where} input regex should be a string")
    if not isinstance(described.get("description", ""), str | int | float):
        wrong.append(f"{where} input description should be an alphanumeric string")
    if "rules" in described:
        wrong.append(f"{where} is not understood by this stand-in: rules")
    return wrong


def _value(name: str, described: Mapping[str, Any], given: Any) -> tuple[Any, list[str]]:
    """Return the value of an input, and its errors."""
    type_ = described.get("type") or "string"
    wrong: list[str] = []
    if "default" not in described and given is None:
        return None, [f"`{name}` input: required value has not been provided"]
    if described.get("default") is not None:
        wrong += _value_errors(described, type_, _coerced(type_, described["default"]), "default")
    if given is not None:
        wrong += _value_errors(described, type_, _coerced(type_, given), "provided")
    value = described.get("default") if given is None else given
    return _coerced(type_, value), [f"`{name}` input: {one}" for one in wrong]


def _coerced(type_: str, value: Any) -> Any:
    if type_ == "string":
        return _text(value)
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


def _value_errors(described: Mapping[str, Any], type_: str, value: Any, origin: str) -> list[str]:
    wrong = []
    good = {
        "string": True,
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "array": isinstance(value, list),
    }
    kind = "an array" if type_ == "array" else f"a {type_}"
    if not good[type_]:
        wrong.append(f"{origin} value is not {kind}")
    options = described.get("options")
    if options and type_ == "boolean":
        wrong.append("Options can only be used with string and number inputs")
    elif options and type_ == "array":
        others = [one for one in value if one not in options] if isinstance(value, list) else []
        if others:
            listed = ", ".join(str(one) for one in others)
            wrong.append(f"{listed} cannot be used because it is not in the list of allowed options")
    elif options and value not in ([_text(one) for one in options] if type_ == "string" else options):
        the = "" if type_ == "string" else "the "
        wrong.append(f"`{value}` cannot be used because it is not in the list of {the}allowed options")
    regex = described.get("regex")
    if regex is not None and type_ != "string":
        wrong.append("RegEx validation can only be used with string inputs")
    elif regex is not None:
        try:
            if re.search(regex, value) is None:
                wrong.append(f"{origin} value does not match required RegEx pattern")
        except re.error:
            wrong.append("invalid regular expression")
    return wrong


# Blocks ---------------------------------------------------------------------------------------------------------------


def _block(text: str, values: Mapping[str, Any], known: Mapping[str, str]) -> str:
    path, *functions = (part.strip() for part in text.split("|"))
    if "." not in path:
        raise InputError("invalid interpolation access pattern")
    context, _, name = path.partition(".")
    if context != "inputs":
        raise InputError(f"unknown interpolation key: `{context}`")
    if name not in values:
        raise InputError(f"unknown interpolation key: `{name}`")
    if len(functions) > _MOST_FUNCTIONS:
        raise InputError("too many functions in interpolation block")
    value = values[name]
    for function in functions:
        value = _applied(function, value, known)
    return value if isinstance(value, str) else json.dumps(value)


def _applied(function: str, value: Any, known: Mapping[str, str]) -> str:
    match = _TRUNCATE.fullmatch(function)
    name = "truncate" if match else function
    if match is None and function not in {"expand_vars", "posix_escape", "posix_quote"}:
        raise InputError(
            f"no function matching `{function}`: check that the function name, arguments, and types are correct"
        )
    if not isinstance(value, str):
        raise InputError(f"error in `{name}` function: invalid input type: {name} can only be used with string inputs")
    if match is not None:
        return value[int(match[1]) : int(match[1]) + int(match[2])]
    if name == "expand_vars":
        return ci_variables.expand(value, known)
    return shlex.quote(value) if name == "posix_quote" else _PLAIN.sub(r"\\\g<0>", value) or "''"
