"""Property paths as Pulumi writes them: ``spec.hard["limits.cpu"]``, ``members[0]``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from usine.plan.model import SECRET
from usine.report.model import ABSENT

#: Keys and list indexes from the top of an object's properties down to one value.
Path = tuple[str | int, ...]

_PART = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)')
_PLAIN = re.compile(r'[^.\["\]]+\Z')


def parse(text: str) -> Path:
    """Read a path. What is no path at all becomes one key."""
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        if text[position] == "." and parts:
            position += 1
        match = _PART.match(text, position)
        if match is None:
            return (text,)
        quoted, index, plain = match.groups()
        if index is not None:
            parts.append(int(index))
        else:
            parts.append(plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        position = match.end()
    return tuple(parts)


def render(path: Sequence[str | int]) -> str:
    """Write a path."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN.match(part):
            text += f".{part}" if text else part
        else:
            text += '["' + part.replace("\\", "\\\\").replace('"', '\\"') + '"]'
    return text


def lookup(value: object, path: Sequence[str | int]) -> object:
    """Return what is at a path; ABSENT where nothing is, SECRET at and below what is secret."""
    for part in path:
        if value == SECRET:
            return SECRET
        inside = part in value if isinstance(value, Mapping) else isinstance(value, list) and part in range(len(value))
        if not inside:
            return ABSENT
        value = cast(Any, value)[part]
    return value


def starts_with(path: Path, above: Path) -> bool:
    """Say whether a path is another one, or below it."""
    return path[: len(above)] == above
