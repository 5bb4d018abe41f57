"""Text of others in a job's log and reports: file names, messages of tools, descriptions of vulnerabilities.

Such a text must not end a line, colour the log, fold it (GitLab's section markers), turn the direction of writing, or
show a secret.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: What replaces a secret.
MASK: Final = "[masked]"

#: Shapes of well-known secrets. A text that we print should hold none; this is the second line of defence.
_SECRETS: Final = re.compile(
    r"""
    gl(?:pat|dt|rt|ptt|cbt|ft|imt|agent|oas|soat|ffct)-[\w.=-]{16,}   # GitLab
    | hv[sbr]\.[\w-]{20,} | \b[sb]\.[A-Za-z0-9]{24}\b                 # Vault, OpenBao
    | sq[aup]_[0-9a-f]{40}                                            # SonarQube
    | (?:gh[pousr]_|github_pat_)\w{20,}                               # GitHub
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                                   # AWS
    | xox[abeprs]-[\w-]{10,} | AIza[\w-]{35} | npm_\w{36} | pypi-\w{16,} | sk_live_\w{10,}
    | eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*                            # JSON Web Token
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----(?:.*?-----END\ [A-Z ]*PRIVATE\ KEY-----|.*)
    | (?<=://)[^\s/@:]*:[^\s/@]+(?=@)                                 # user and password of a URL
    """,
    re.VERBOSE | re.DOTALL,
)
#: GitLab folds the log between these; without their control characters they are harmless, and still confusing.
_SECTION: Final = re.compile(r"section_(start|end):(?=\d)")
_ESCAPE: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?", re.DOTALL)


def mask(text: str) -> str:
    """Return a text without anything that has the shape of a well-known secret."""
    return _SECRETS.sub(MASK, text)


def clean(text: str, longest: int = 2000) -> str:
    """Return a text of others as one harmless line of at most `longest` characters."""
    text = _ESCAPE.sub("", text)
    # Twice: a private key has several lines, and what is taken out may have split a secret.
    text = mask(text)
    text = "".join(_character(character) for character in text)
    text = _SECTION.sub(r"section \1 ", " ".join(text.split()))
    text = mask(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _character(character: str) -> str:
    category = unicodedata.category(character)
    if character.isspace():
        return " "
    # Cc, Cf: control, direction, zero width. Cs, Co, Cn: no characters, and they break an encoder.
    return "" if category[0] == "C" else character
