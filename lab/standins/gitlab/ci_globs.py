"""Patterns of paths in `rules:exists` and `rules:changes`: Ruby's `File.fnmatch` with dot files and braces."""

from __future__ import annotations

import re
from functools import cache


def matches(pattern: str, path: str) -> bool:
    """Whether a path matches: `*` within a folder, `**/` any folders, `?`, `[…]`, `{one,other}`."""
    return _compiled(pattern).fullmatch(path) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    made, place, depth = "", 0, 0
    while place < len(pattern):
        rest, character = pattern[place:], pattern[place]
        step = 1
        if rest.startswith("**/"):
            made, step = made + "(?:[^/]+/)*", 3
        elif character == "*":
            made += "[^/]*"
            step = len(rest) - len(rest.lstrip("*"))
        elif character == "?":
            made += "[^/]"
        elif character == "[" and "]" in rest[2:]:
            end = rest.index("]", 2)
            inside = rest[1:end]
            inside = "^" + inside[1:] if inside[0] in "!^" else inside
            made, step = f"{made}[{inside}]", end + 1
        elif character == "{" and "}" in rest:
            made, depth = made + "(?:", depth + 1
        elif character == "}" and depth:
            made, depth = made + ")", depth - 1
        elif character == "," and depth:
            made += "|"
        else:
            made += re.escape(character)
        place += step
    try:
        return re.compile(made, re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern))
