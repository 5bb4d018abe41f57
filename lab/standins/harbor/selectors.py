"""Matching of repositories and tags by rules of immutability or retention: Harbor's `doublestar` patterns."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from typing import Any


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Compile a pattern; None if it is invalid."""
    text, position, depth = "", 0, 0
    while position < len(pattern):
        char = pattern[position]
        if pattern.startswith("**", position):
            text += ".*"
            position += 1
        elif char == "*":
            text += "[^/]*"
        elif char == "?":
            text += "[^/]"
        elif char == "{":
            text, depth = text + "(?:", depth + 1
        elif char == "}" and depth:
            text, depth = text + ")", depth - 1
        elif char == "," and depth:
            text += "|"
        elif char == "\\" and position + 1 < len(pattern):
            position += 1
            text += re.escape(pattern[position])
        elif char == "[" and "]" in pattern[position + 2 :]:
            end = pattern.index("]", position + 2)
            inside = pattern[position + 1 : end].replace("\\", "\\\\")
            text += f"[{'^' + inside[1:] if inside[:1] in '!^' else inside}]"
            position = end
        else:
            text += re.escape(char)
        position += 1
    # `**/` also matches no folder.
    text = text.replace(".*/", "(?:.*/)?")
    try:
        return re.compile(text, re.DOTALL)
    except re.error:
        return None


def match(pattern: str, text: str) -> bool:
    """Whether a pattern matches a text; the empty pattern matches everything."""
    compiled = _compiled(pattern)
    return not pattern or (compiled is not None and compiled.fullmatch(text) is not None)


def applies(rule: Mapping[str, Any], repository: str, tag: str | None) -> bool:
    """Whether a rule applies to a tag of a repository (name without its project); None is an untagged artifact."""
    scopes = (rule.get("scope_selectors") or {}).get("repository") or []
    tags = rule.get("tag_selectors") or []
    if rule.get("disabled") or not scopes or not tags:
        return False
    excluded = scopes[0].get("decoration") == "repoExcludes"
    if match(scopes[0].get("pattern") or "", repository) is excluded:
        return False
    excluded = tags[0].get("decoration") == "excludes"
    if tag is None:
        untagged = _untagged(tags[0].get("extras"), default=not excluded)
        return not untagged if excluded else untagged
    return match(tags[0].get("pattern") or "", tag) is not excluded


def _untagged(extras: Any, *, default: bool) -> bool:  # noqa: ANN401 - JSON in a text
    try:
        return bool(json.loads(extras).get("untagged", False)) if extras else default
    except (ValueError, AttributeError, TypeError):
        return default
