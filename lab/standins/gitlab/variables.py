"""CI/CD variables: validation, and values, which are sealed at rest."""

from __future__ import annotations

import re
from typing import Final

from lab.standins.gitlab.site import GitLabSite
from lab.standins.store import Document

_KEY: Final = re.compile(r"[a-zA-Z0-9_]+")
_MASKABLE: Final = re.compile(r"[a-zA-Z0-9_+=/@:.~-]{8,}")
_MASKABLE_RAW: Final = re.compile(r"\S{8,}")
_LONGEST_VALUE: Final = 10_000


def value_of(site: GitLabSite, variable: Document) -> str:
    """Return the value in clear, for jobs; never use it for an answer about a hidden variable."""
    return site.unseal(variable["sealed"])


def shown(site: GitLabSite, variable: Document) -> Document:
    """Return a variable as shown in the API, without the value of a hidden one."""
    return {
        "variable_type": variable["variable_type"],
        "key": variable["key"],
        "value": None if variable["hidden"] else value_of(site, variable),
        "protected": variable["protected"],
        "masked": variable["masked"],
        "raw": variable["raw"],
        "description": variable["description"],
        "hidden": variable["hidden"],
        "environment_scope": variable["environment_scope"],
    }


def errors(key: str, value: str, *, masked: bool, raw: bool) -> dict[str, list[str]]:
    """Return the errors of a variable."""
    found: dict[str, list[str]] = {}
    if not _KEY.fullmatch(key):
        found["key"] = ["can contain only letters, digits and '_'."]
    elif len(key) > 255:  # noqa: PLR2004 - GitLab's limit
        found["key"] = ["is too long (maximum is 255 characters)"]
    if masked and not (_MASKABLE_RAW if raw else _MASKABLE).fullmatch(value):
        found["value"] = ["is invalid"]
    if len(value) > _LONGEST_VALUE:
        found.setdefault("value", []).append(f"is too long (maximum is {_LONGEST_VALUE} characters)")
    return found
