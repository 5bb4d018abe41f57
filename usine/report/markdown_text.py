"""Escapes text from outside for GitLab's Markdown, so that it has no markup, mentions, links or quick actions.

All filters of GitLab (mentions, references, quick actions, autolinks, emoji, images) ignore code only. So everything
but plain words becomes code.
"""

from __future__ import annotations

import re

from usine.report.values import code_pieces, visible

#: Letters, digits, and punctuation without a meaning in Markdown. GitLab makes links of commit hashes and addresses.
_PLAIN = re.compile(
    r"""["'(«]*-{0,2}(?![0-9a-f]{7,40}\b|.*(?://|www\.))[^\W_](?:[\w.,;:'’()/-]*[\w)])?["').,;:?»…]*""", re.IGNORECASE
)
_BARE = re.compile(r"[-–—→…:?.]+")


def code(text: str) -> str:
    """Show a text as code, in a line or in a table cell."""
    text = visible(text)
    if not text or "`" in text or "|" in text or text != text.strip():
        return html_code(text)
    return f"`{text}`"


def html_code(text: str) -> str:
    """Show a text as code in HTML, such as in a `<summary>`, and in Markdown."""
    # A character reference is never markup.
    safe = "".join(c if c.isalnum() or c in " -" or ord(c) > 127 else f"&#{ord(c)};" for c in visible(text))  # noqa: PLR2004 - ASCII
    return f"<code>{safe}</code>"


def prose(text: str) -> str:
    """Show a sentence: plain words as words; everything else, and text in `backticks`, as code.

    Not for the start of a line. An empty text becomes ``(empty)``, since emphasis needs a text.
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
        else:  # adjacent words that are not plain become one piece of code
            shown[-1] += f" {word}"
    return " ".join(piece if not piece or _is_plain(piece) else _code_word(piece) for piece in shown)


def _code_word(text: str) -> str:
    """Show a text as code, without the punctuation at its end."""
    core = text.rstrip(",;.: ")
    return code(core) + text[len(core) :] if core else code(text)


def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None or _BARE.fullmatch(text) is not None


def fenced(lines: list[str]) -> str:
    """Show the lines of a comparison as a code block that no line can end."""
    text = "\n".join(lines)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}diff\n{text}\n{fence}"
