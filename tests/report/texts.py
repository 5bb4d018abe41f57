"""Hostile texts: with a meaning in Markdown, HTML, GitLab or a terminal."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

#: Without a deadline, since the machine may be busy.
UNTIMED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

_PIECES = (
    "`", "``", "```", "|", "\\", "\\|", "@all", "@", "#1", "!2", "~l", "$", "%", "&amp;", "&#64;", "<",
    ">", "<b>", "</code>", "-->", "<!--", "\n", "\r", "\t", " ", "  ", "/close", "\n/close\n",
    "www.a.b", "http://a.b", "a@b.c", "deadbeef", "[x](y)", "![x](y)", "*", "**", "_", "__x__", "{",
    "}", "{{", ":smile:", "---", "\u202e", "\u200b", "\x1b[31m", "\x00", "\ud800", "é", "ﷺ", "word",
    "two words", "1.", "- ", "+ ", "(", ")", "\"", "'", "=", "^", "\u2028", "\xa0", "null", "[secret]",
)  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=4)), max_size=8).map("".join)
