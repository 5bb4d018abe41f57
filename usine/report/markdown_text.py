"""Texts of others in GitLab's Markdown: shown as they are; nothing renders, pings anyone, links or is a command.

Only code is left alone by every filter of GitLab (mentions, references, quick actions, autolinks, emoji, images). So
whatever is not plain words becomes code.
"""

from __future__ import annotations

import re

from usine.report.values import code_pieces, visible

#: Letters, digits, and punctuation that means nothing there. A commit's hash or an address would become a link.
_PLAIN = re.compile(
    r"""["'(«]*-{0,2}(?![0-9a-f]{7,40}\b|.*(?://|www\.))[^\W_](?:[\w.,;:'’()/-]*[\w)])?["').,;:?»…]*""", re.IGNORECASE
)
_BARE = re.compile(r"[-–—→…:?.]+")


def code(text: str) -> str:
    """Show a text as code, anywhere inside a line, a table's cell included."""
    text = visible(text)
    if not text or "`" in text or "|" in text or text != text.strip():
        return html_code(text)
    return f"`{text}`"


def html_code(text: str) -> str:
    """Show a text as code where Markdown is not read, such as in a `<summary>`, and where it is."""
    # A character reference is never part of Markdown's or HTML's structure.
    safe = "".join(c if c.isalnum() or c in " -" or ord(c) > 127 else f"&#{ord(c)};" for c in visible(text))  # noqa: PLR2004 - ASCII
    return f"<code>{safe}</code>"


def prose(text: str) -> str:
    """Show a sentence: its plain words as words, anything else and what is in `backticks` as code.

    Not for the start of a line. What is blank is said to be: emphasis around nothing is none.
    """
    text = text.strip()
    if not text:
        return "(empty)"
    return "".join(code(piece) if is_code else _words(piece) for piece, is_code in code_pieces(visible(text)))


def _words(text: str) -> str:
    shown: list[str] = []
    plain = True
    for word in text.split(" "):
        if not word or _is_plain(word):
            shown.append(word)
            plain = True
        elif plain or not shown:
            shown.append(word)
            plain = False
        else:  # neighbours that are not plain are one piece of code
            shown[-1] += f" {word}"
    return " ".join(piece if not piece or _is_plain(piece) else _code_word(piece) for piece in shown)


def _code_word(text: str) -> str:
    """Leave the punctuation that ends a part of a sentence out of the code."""
    core = text.rstrip(",;.: ")
    return code(core) + text[len(core) :] if core else code(text)


def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None or _BARE.fullmatch(text) is not None


def fenced(lines: list[str]) -> str:
    """Show the lines of a comparison as a block of code that none of them can end."""
    text = "\n".join(lines)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}diff\n{text}\n{fence}"
