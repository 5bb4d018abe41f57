"""Property paths as Pulumi writes them: ``spec.hard["limits.cpu"]``, ``members[0]``; and patterns of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, reduce
from typing import Any, cast

from pulumi_facts.values import ABSENT, SECRET

#: Keys and list indexes from the top of an object's properties down to one value.
Path = tuple[str | int, ...]

#: In a pattern: any key, or any index.
ANY = "*"
_PART = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|\[(\*)\]|([^.\[\]]+)', re.DOTALL)
_BRACKETS = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]', re.DOTALL)
_PLAIN = re.compile(r'[^.\["\]]+')


@cache
def parse(text: str) -> Path:
    """Read a path or a pattern. A text that is neither becomes one key."""
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        if text[position] == "." and parts:
            position += 1
        match = _PART.match(text, position)
        if match is None:
            return (text,)
        quoted, index, wildcard, plain = match.groups()
        if index is not None:
            parts.append(int(index))
        elif quoted is not None:
            parts.append(re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL))
        else:
            parts.append(wildcard or plain)
        position = match.end()
    return tuple(parts)


def below(path: str, part: str | int) -> str:
    """Write the path of a key or of an index below another path."""
    if isinstance(part, int):
        return f"{path}[{part}]"
    if not _PLAIN.fullmatch(part):
        escaped = part.replace("\\", "\\\\").replace('"', '\\"')
        return f'{path}["{escaped}"]'
    return f"{path}.{part}" if path else part


def render(path: Sequence[str | int]) -> str:
    """Write a path."""
    return reduce(below, path, "")


def lookup(value: object, path: Sequence[str | int]) -> object:
    """Return the value at a path; ABSENT where there is none, SECRET at and below a secret."""
    for part in path:
        if value == SECRET:
            return SECRET
        inside = part in value if isinstance(value, Mapping) else isinstance(value, list) and part in range(len(value))
        if not inside:
            return ABSENT
        value = cast(Any, value)[part]
    return value


def starts_with(path: Path, above: Path) -> bool:
    """Return whether a path is `above` or lies below it."""
    return path[: len(above)] == above


def touches(path: str, pattern: str) -> bool:
    """Return whether a change at a path affects what a pattern names: the same property, one below it, or one above."""
    return all(part in (own, ANY) for own, part in zip(parse(path), parse(pattern), strict=False))


def covers(pattern: str, path: str) -> bool:
    """Return whether a path is what a pattern names, or lies below it."""
    return len(parse(pattern)) <= len(parse(path)) and touches(path, pattern)


def with_any_index(path: str) -> str:
    """Return a path with ``[*]`` in place of each list index and of each quoted key."""
    return _BRACKETS.sub("[*]", path)
