"""Renders values for messages: short, unambiguous, and without secrets."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable

from model.problems import KeyPath

_LONGEST_SHOWN = 60
_HIDDEN = "(not shown)"

#: Keys under which people put secrets.
_SECRET_KEY = re.compile(
    r"pass(wor[dt]|phrase|wd)?$|passw|secret|token|api[-_.]?key|private[-_.]?key|access[-_.]?key|credential|^pwd$", re.I
)

#: Well-known secrets: a fixed text for a quick search, the whole pattern, and a name.
_SECRET_SHAPES: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (fixed, re.compile(shape), name)
    for fixed, shape, name in (
        ("-----BEGIN", r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY", "a private key"),
        ("glpat-", r"\bglpat-[\w-]{8,}", "a GitLab access token"),
        ("gldt-", r"\bgldt-[\w-]{8,}", "a GitLab deploy token"),
        ("glrt-", r"\bglrt-[\w-]{8,}", "a GitLab runner token"),
        ("glptt-", r"\bglptt-[\w-]{8,}", "a GitLab trigger token"),
        ("glcbt-", r"\bglcbt-[\w-]{8,}", "a GitLab job token"),
        ("glsoat-", r"\bglsoat-[\w-]{8,}", "a GitLab access token"),
        ("hvs.", r"\bhvs\.[\w-]{8,}", "a Vault token"),
        ("hvb.", r"\bhvb\.[\w-]{8,}", "a Vault token"),
        ("ghp_", r"\bghp_\w{16,}", "a GitHub token"),
        ("gho_", r"\bgho_\w{16,}", "a GitHub token"),
        ("ghs_", r"\bghs_\w{16,}", "a GitHub token"),
        ("github_pat_", r"\bgithub_pat_\w{16,}", "a GitHub token"),
        ("AKIA", r"\bAKIA[0-9A-Z]{12,}", "a cloud access key"),
        ("ASIA", r"\bASIA[0-9A-Z]{16}", "a cloud access key"),
        ("AIza", r"\bAIza[\w-]{30,}", "a cloud API key"),
        ("xox", r"\bxox[abeprs]-[\w-]{8,}", "a chat token"),
        ("npm_", r"\bnpm_[A-Za-z0-9]{20,}", "a package registry token"),
        ("pypi-", r"\bpypi-[\w-]{20,}", "a package registry token"),
        ("sqa_", r"\bsqa_[0-9a-f]{16,}", "a SonarQube token"),
        ("sqp_", r"\bsqp_[0-9a-f]{16,}", "a SonarQube token"),
        ("squ_", r"\bsqu_[0-9a-f]{16,}", "a SonarQube token"),
        ("eyJ", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}", "a signed token"),
        ("AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1\w{8,}", "a private key"),
    )
)

_USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]*@|[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s:@]*:[^/?#\s@]*@")
_RANDOM = re.compile(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=[^0-9]*[0-9])[A-Za-z0-9+/=_-]{20,}")
_LONG_HEX = re.compile(r"[0-9a-fA-F]{32,}")


def find_secrets(text: str) -> list[tuple[int, str]]:
    """Return the offset and the name of every text that looks like a well-known secret, in order."""
    found = []
    for fixed, shape, name in _SECRET_SHAPES:
        if fixed in text:  # much faster than the pattern, and nearly always false
            found += [(match.start(), name) for match in shape.finditer(text)]
    return sorted(found)


def has_userinfo(text: str) -> bool:
    """Return whether a URL in the text carries a user or a password."""
    return _USERINFO.search(text) is not None


def is_secret_key(key: object) -> bool:
    """Return whether people write secrets under such a key."""
    return isinstance(key, str) and _SECRET_KEY.search(key) is not None


def may_be_secret(text: str) -> bool:
    """Return whether a text may be a secret: it looks like a well-known one, or random."""
    return bool(
        has_userinfo(text)
        or find_secrets(text)
        or _RANDOM.search(text)
        or _LONG_HEX.search(text)
        or re.search(r"(?i)(password|passwd|secret|token|api_?key)\s*[=:]", text)
    )


def show(value: object, path: KeyPath = ()) -> str:
    """Render a value of a file for a message: quoted, cut, escaped; hidden where it may be a secret."""
    if any(is_secret_key(key) for key in path):
        return _HIDDEN
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = value if isinstance(value, str) else str(value)
    if may_be_secret(text):
        return _HIDDEN
    if len(text) > _LONGEST_SHOWN:
        text = text[: _LONGEST_SHOWN - 1] + "…"
    return json.dumps(text, ensure_ascii=not text.isprintable()) if isinstance(value, str) else text


def show_path(path: KeyPath) -> str:
    """Render a key path: ``environments.dev.egress[0].host``. Keys that may be a secret or are long are not shown."""
    rendered = ""
    for part in path:
        if isinstance(part, int):
            rendered += f"[{part}]"
            continue
        if not part.isprintable() or len(part) > _LONGEST_SHOWN or not part or may_be_secret(part):
            part = "…"  # noqa: PLW2901 - the text shown for the key
        rendered += f".{part}" if rendered else part
    return rendered


def suggest(value: object, allowed: Iterable[str]) -> str | None:
    """Return the allowed word closest to a value, or None if none is close."""
    if not isinstance(value, str) or len(value) > _LONGEST_SHOWN:
        return None
    words = {word.casefold(): word for word in allowed}
    wanted = value.strip().casefold()
    if wanted in words:
        return words[wanted]
    close = difflib.get_close_matches(wanted, words, n=1, cutoff=0.6)
    if close:
        return words[close[0]]
    # One word starts with the other: `production` and `prod`.
    starts = [w for w in words if len(wanted) > 2 and (w.startswith(wanted) or wanted.startswith(w))]  # noqa: PLR2004 - shorter words start too many others
    return words[min(starts)] if starts else None


def did_you_mean(value: object, allowed: Iterable[str]) -> str:
    """Return the allowed words, with a suggestion if one is close: the text that follows ``; `` in a message."""
    allowed = list(allowed)
    if not allowed:
        return "none is declared by the platform"
    close = suggest(value, allowed)
    listed = enumerate_words(allowed)
    return f"did you mean {close}? Allowed: {listed}" if close else f"allowed: {listed}"


def enumerate_words(words: Iterable[str], most: int = 20) -> str:
    """Join words with commas, in the given order; long lists are cut with a count."""
    listed = list(words)
    rest = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + rest
