"""The difference of two JSON values, property by property."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set

from pulumi_facts.paths import below
from pulumi_facts.values import ABSENT
from usine.report.model import PropertyChange


def differences(before: Mapping[str, object], after: Mapping[str, object], path: str = "") -> Iterator[PropertyChange]:
    """Yield every property that differs, by path.

    An item that only one of two lists has is one change, ``members[2]``, with its index in that list, even if other
    items move. Lists of structures are aligned, and aligned items are compared property by property.
    """
    for name in sorted(before.keys() | after.keys()):
        yield from _value(before.get(name, ABSENT), after.get(name, ABSENT), below(path, name))


def places(value: object, wanted: Set[str], path: str) -> Iterator[tuple[str, str]]:
    """Yield path and text of every text in a value that contains one of the wanted texts."""
    if isinstance(value, str):
        if any(text in value for text in wanted):
            yield path, value
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield from places(value[name], wanted, below(path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, wanted, below(path, index))


def substituted(value: object, old: str, new: str) -> object:
    """Return a value with one text replaced by another one everywhere in it."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, Mapping):
        return {name: substituted(item, old, new) for name, item in value.items()}
    return [substituted(item, old, new) for item in value] if isinstance(value, list) else value


def _value(before: object, after: object, path: str) -> Iterator[PropertyChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from differences(before, after, path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, path)
    elif _text(before) != _text(after):
        yield PropertyChange(path, before, after)


def _lists(before: Sequence[object], after: Sequence[object], path: str) -> Iterator[PropertyChange]:
    olds, news = [_text(item) for item in before], [_text(item) for item in after]
    if olds == news:
        return
    if Counter(olds) == Counter(news):
        yield PropertyChange(path, before, after)  # the same items in another order
        return
    if not any(isinstance(item, (Mapping, list)) for item in (*before, *after)):
        yield from _members(before, after, olds, news, path)
        return
    matcher = difflib.SequenceMatcher(None, olds, news, autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            continue
        paired = min(end - start, new_end - new_start)
        for offset in range(paired):
            yield from _value(before[start + offset], after[new_start + offset], below(path, new_start + offset))
        for index in range(start + paired, end):
            yield PropertyChange(below(path, index), before[index], ABSENT)
        for index in range(new_start + paired, new_end):
            yield PropertyChange(below(path, index), ABSENT, after[index])


def _members(
    before: Sequence[object], after: Sequence[object], olds: Sequence[str], news: Sequence[str], path: str
) -> Iterator[PropertyChange]:
    """Compare lists of plain values as sets: yield removed items, then added ones."""
    gone, come = Counter(olds) - Counter(news), Counter(news) - Counter(olds)
    for index, text in enumerate(olds):
        if gone[text] > 0:
            gone[text] -= 1
            yield PropertyChange(below(path, index), before[index], ABSENT)
    for index, text in enumerate(news):
        if come[text] > 0:
            come[text] -= 1
            yield PropertyChange(below(path, index), ABSENT, after[index])


def _text(value: object) -> str:
    """Return a text that is the same for equal JSON values only: Python takes true and 1 for equal."""
    return "" if value is ABSENT else json.dumps(value, sort_keys=True, ensure_ascii=False)
