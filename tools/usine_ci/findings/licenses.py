"""Which licences the platform denies: by SPDX id, or by the category that Trivy gives a licence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

#: Trivy's categories, which are those of Google's license classifier.
CATEGORIES: Final = ("forbidden", "restricted", "reciprocal", "notice", "permissive", "unencumbered", "unknown")
_SUFFIX: Final = re.compile(r"(?:-only|-or-later|\+)$")


def is_denied(name: str, category: str, denied: Sequence[str]) -> bool:
    """Return whether a licence or an SPDX expression is denied. Of alternatives (OR), one that is allowed is enough."""
    words = {_plain(word) for word in denied}
    if category.lower() in words:
        return True
    alternatives = re.split(r"\s+OR\s+", name.replace("(", " ").replace(")", " ").strip())
    return all(any(_plain(part) in words for part in re.split(r"\s+AND\s+", each)) for each in alternatives)


def _plain(name: str) -> str:
    """Return a licence without its exception and version range: AGPL-3.0, AGPL-3.0-only and -or-later are one here."""
    return _SUFFIX.sub("", name.strip().partition(" WITH ")[0].strip()).lower()
