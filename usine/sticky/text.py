"""Texts as GitLab takes them: found again by a hidden first line, bounded, and without a command for GitLab in them."""

from __future__ import annotations

import re

#: GitLab refuses a note of more characters than this, and an issue's description a little above.
LIMIT = 1_000_000

_MARKER = re.compile(r"[a-z][a-z0-9._:-]{0,79}")
#: A rendered report has a hidden line of its own.
_FIRST_LINE = re.compile(r"\A<!-- [a-z][a-z0-9._:-]* -->(?=\n|\Z)")
#: Quick actions: a line that starts with `/word`. GitLab runs them with the rights of who posts.
_QUICK_ACTION = re.compile(r"^([ \t]*)/(?=\w)", re.MULTILINE)
_CUT = "\n\n*Cut here: the rest is in the pipeline's artifacts.*"


def is_marker(name: str) -> bool:
    """Say whether this may name a text of ours: lower case, digits, and single ``.:_-``."""
    return _MARKER.fullmatch(name) is not None and "--" not in name


def hidden(marker: str, *attributes: str) -> str:
    """Return the hidden line that names a text of ours; `attributes` are words GitLab's readers never see."""
    return f"<!-- {' '.join((marker, *attributes))} -->"


def compose(line: str, body: str) -> str:
    """Put a body under its hidden line: quick actions made plain text, the whole within GitLab's limit."""
    text = _FIRST_LINE.sub("", body.replace("\r\n", "\n").strip()).lstrip("\n")
    text = _QUICK_ACTION.sub(r"\1\\/", text)
    whole = f"{line}\n{text}"
    if len(whole) <= LIMIT:
        return whole
    return whole[: LIMIT - len(_CUT)].rsplit("\n", 1)[0] + _CUT


def attributes_of(text: str, marker: str) -> tuple[str, ...] | None:
    """Return the attributes of a text's hidden first line, None when it is not the text of this marker."""
    first = text.lstrip().split("\n", 1)[0].strip()
    match = re.fullmatch(rf"<!-- {re.escape(marker)}((?: \S+)*) -->", first)
    return None if match is None else tuple(match[1].split())


def same(one: str, other: str) -> bool:
    """Say whether two texts are one to GitLab, which keeps neither carriage returns nor what stands around a text."""
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()
