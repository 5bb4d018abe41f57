"""Texts for GitLab: with a hidden first line to find them again, within GitLab's limit, without quick actions."""

from __future__ import annotations

import re

#: GitLab refuses a note of more characters than this, and an issue's description a little above.
LIMIT = 1_000_000

_MARKER = re.compile(r"[a-z][a-z0-9._:-]{0,79}")
#: A rendered report has its own hidden line.
_FIRST_LINE = re.compile(r"\A<!-- [a-z][a-z0-9._:-]* -->(?=\n|\Z)")
#: Quick actions: a line that starts with `/word`. GitLab runs them with the rights of the author.
_QUICK_ACTION = re.compile(r"^([ \t]*)/(?=\w)", re.MULTILINE)
_CUT = "\n\n*Cut here: the rest is in the pipeline's artifacts.*"


def is_marker(name: str) -> bool:
    """Return whether this can be a marker: lower case letters, digits, and single ``.:_-``."""
    return _MARKER.fullmatch(name) is not None and "--" not in name


def hidden(marker: str, *attributes: str) -> str:
    """Return the hidden line with a marker and attributes. GitLab does not show it."""
    return f"<!-- {' '.join((marker, *attributes))} -->"


def compose(line: str, body: str) -> str:
    """Return the body below its hidden line, with quick actions as plain text, cut at GitLab's limit."""
    text = _FIRST_LINE.sub("", body.replace("\r\n", "\n").strip()).lstrip("\n")
    text = _QUICK_ACTION.sub(r"\1\\/", text)
    whole = f"{line}\n{text}"
    if len(whole) <= LIMIT:
        return whole
    return whole[: LIMIT - len(_CUT)].rsplit("\n", 1)[0] + _CUT


def attributes_of(text: str, marker: str) -> tuple[str, ...] | None:
    """Return the attributes in a text's hidden first line, None if it has another marker or none."""
    first = text.lstrip().split("\n", 1)[0].strip()
    match = re.fullmatch(rf"<!-- {re.escape(marker)}((?: \S+)*) -->", first)
    return None if match is None else tuple(match[1].split())


def same(one: str, other: str) -> bool:
    """Return whether GitLab stores two texts as the same: it drops carriage returns and surrounding white space."""
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()
