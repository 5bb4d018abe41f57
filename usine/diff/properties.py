"""Two JSON values compared property by property, with paths as Pulumi writes them."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set

from usine.report.model import ABSENT, PropertyChange

_PLAIN = re.compile(r'[^.\["\]]+')


def differences(before: Mapping[str, object], after: Mapping[str, object], path: str = "") -> Iterator[PropertyChange]:
    """Yield every property that differs, by path.

    What one list has and the other has not is one change each, whatever moved by it: ``members[2]``, with the index in
    the list that has it. Items of lists that hold structures are compared inside where they stand for each other.
    """
    for name in sorted(before.keys() | after.keys()):
        yield from _value(before.get(name, ABSENT), after.get(name, ABSENT), _below(path, name))


def places(value: object, wanted: Set[str], path: str) -> Iterator[tuple[str, str]]:
    """Yield path and text of every text in a value that holds one of the wanted."""
    if isinstance(value, str):
        if any(text in value for text in wanted):
            yield path, value
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield from places(value[name], wanted, _below(path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, wanted, f"{path}[{index}]")


def substituted(value: object, old: str, new: str) -> object:
    """Return a value with another text in place of one, wherever it stands."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, Mapping):
        return {name: substituted(item, old, new) for name, item in value.items()}
    return [substituted(item, old, new) for item in value] if isinstance(value, list) else value


def _below(path: str, name: str) -> str:
    if not _PLAIN.fullmatch(name):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'{path}["{escaped}"]'
    return f"{path}.{name}" if path else name


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
        yield PropertyChange(path, before, after)  # the same, in another order
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
            yield from _value(before[start + offset], after[new_start + offset], f"{path}[{new_start + offset}]")
        for index in range(start + paired, end):
            yield PropertyChange(f"{path}[{index}]", before[index], ABSENT)
        for index in range(new_start + paired, new_end):
            yield PropertyChange(f"{path}[{index}]", ABSENT, after[index])


def _members(
    before: Sequence[object], after: Sequence[object], olds: Sequence[str], news: Sequence[str], path: str
) -> Iterator[PropertyChange]:
    """Lists of plain values are taken for sets: what went, then what came."""
    gone, come = Counter(olds) - Counter(news), Counter(news) - Counter(olds)
    for index, text in enumerate(olds):
        if gone[text] > 0:
            gone[text] -= 1
            yield PropertyChange(f"{path}[{index}]", before[index], ABSENT)
    for index, text in enumerate(news):
        if come[text] > 0:
            come[text] -= 1
            yield PropertyChange(f"{path}[{index}]", ABSENT, after[index])


def _text(value: object) -> str:
    """Return what two values have in common exactly when they are the same: true is not 1."""
    return "" if value is ABSENT else json.dumps(value, sort_keys=True, ensure_ascii=False)
