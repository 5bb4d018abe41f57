"""The meaning of unquoted YAML words on which all programs agree.

YAML 1.1 reads ``on``, ``0123``, ``1:30`` and ``1_000`` as something other than text, YAML 1.2 does not, and both read
``1.10`` as the number 1.1. A tenant file must mean the same to every program. So such words are neither text nor
number here: they become `Ambiguous`, which only fields for a date or a fraction accept. The message of all other fields
asks for quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """An unquoted word that YAML readers do not all take for the same text. `meaning` is what some take it for."""

    text: str
    meaning: str

    def __str__(self) -> str:
        """Return the word as written."""
        return self.text


FRACTION: Final = "a number with a fraction"
DATE: Final = "a date"
TRUTH: Final = "a truth value"

_LONGEST_INTEGER = 18

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_OTHER = (
    (re.compile(r"(?i:y|n|yes|no|on|off)"), TRUTH),
    (re.compile(r"[-+]?0[0-7_]+|0o[0-7]+"), "an octal number"),
    (re.compile(r"[-+]?0[0-9_]+"), "a number with leading zeros"),
    (re.compile(r"[-+]?0x[0-9a-fA-F_]+"), "a hexadecimal number"),
    (re.compile(r"[-+]?0b[01_]+"), "a binary number"),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), "a number in base 60"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"), DATE),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?"), FRACTION),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), FRACTION),
    (re.compile(r"="), "a default value"),
)
_WORDS: Final[dict[str, object]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
#: A cache: files of one platform repeat the same words.
_seen: dict[str, object] = {}
_MOST_SEEN = 20_000


def plain(text: str) -> object:
    """Return the meaning of an unquoted word: None, bool, int, str or `Ambiguous`."""
    try:
        return _seen[text]
    except KeyError:
        value = _resolve(text)
        if len(_seen) < _MOST_SEEN and len(text) <= 40:  # noqa: PLR2004 - long texts do not repeat
            _seen[text] = value
        return value


def _resolve(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789yYnNoO=":  # no pattern below has another first character
        return text
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= _LONGEST_INTEGER else Ambiguous(text, "a very large number")
    for shape, meaning in _OTHER:
        if shape.fullmatch(text):
            return Ambiguous(text, meaning)
    return text
