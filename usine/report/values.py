"""Renders values in one line or as a comparison of lines, without invisible characters."""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from dataclasses import dataclass

from pulumi_facts.values import SECRET, Absent
from usine.report.model import PropertyChange

#: In parentheses, so that they differ from texts, which have quotes.
_SECRET = "(secret)"  # noqa: S105 - what is shown instead
_ANOTHER_SECRET = "(another secret)"  # noqa: S105 - the same
_ABSENT = "(absent)"
_CODE = re.compile(r"`([^`]+)`")
#: A structure that is longer than this in one line is shown in several lines.
_LONG = 72
_CONTEXT = 2
_MANY_LINES = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a comparison. `sign` is ``-``, ``+``, a blank (unchanged), or ``…`` (lines are left out)."""

    sign: str
    text: str


def visible(text: str, keep: str = "") -> str:
    r"""Escape invisible characters and those that move the cursor or reorder text (``\u202e``), except for `keep`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or _shows(c) else _escaped(c) for c in text)


def _shows(character: str) -> bool:
    return character == " " or unicodedata.category(character)[0] not in "CZ"


def _escaped(character: str) -> str:
    known = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(character)
    code = ord(character)
    return known or (f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")  # noqa: PLR2004 - the end of \u


def one_line(value: object) -> str:
    """Render a JSON value, or its absence, in one line."""
    if isinstance(value, Absent):
        return _ABSENT
    if value == SECRET:
        return _SECRET
    return visible(json.dumps(value, ensure_ascii=False, sort_keys=True))


def both_sides(change: PropertyChange) -> tuple[str, str]:
    """Render both values, each in one line. A changed secret is shown as another secret."""
    if change.before == change.after == SECRET:
        return _SECRET, _ANOTHER_SECRET
    return one_line(change.before), one_line(change.after)


def code_pieces(text: str) -> tuple[tuple[str, bool], ...]:
    """Split a sentence at its `backticks` into pieces: (text, whether it is code)."""
    pieces = _CODE.split(text)
    return tuple((piece, bool(position % 2)) for position, piece in enumerate(pieces) if piece)


def cut(text: str, most: int) -> str:
    """Cut a text that is longer than `most` characters, and add how much is cut."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"


def compare_lines(change: PropertyChange) -> tuple[Line, ...] | None:
    """Compare the two values line by line; None if each fits in one line."""
    values = (change.before, change.after)
    if not any(_is_long(value) for value in values):
        return None
    before, after = (_lines(value) for value in values)
    found: list[Line] = []
    # In long texts, frequent lines are ignored, since the time would grow with the square of the length.
    junk = max(len(before), len(after)) > _MANY_LINES
    for group in difflib.SequenceMatcher(None, before, after, autojunk=junk).get_grouped_opcodes(_CONTEXT):
        if found:
            found.append(Line("…", ""))
        for tag, start, end, other_start, other_end in group:
            if tag == "equal":
                found += [Line(" ", text) for text in before[start:end]]
            else:
                found += [Line("-", text) for text in before[start:end]]
                found += [Line("+", text) for text in after[other_start:other_end]]
    return tuple(found) or None


def _is_long(value: object) -> bool:
    if isinstance(value, str):
        return "\n" in value.strip("\n")
    return isinstance(value, (dict, list)) and len(json.dumps(value, ensure_ascii=False)) > _LONG


def _lines(value: object) -> list[str]:
    """Return the lines of a text, or of a structure as indented JSON; none for an absent value."""
    if isinstance(value, Absent):
        return []
    if isinstance(value, str) and value != SECRET:
        return [visible(line) for line in value.split("\n")]
    if isinstance(value, (dict, list)):
        return visible(json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2), keep="\n").split("\n")
    return [one_line(value)]
