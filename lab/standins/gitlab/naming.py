"""Validation of names and paths of groups, projects and users."""

from __future__ import annotations

import re
from typing import Final

_LONGEST: Final = 255
_PATH: Final = re.compile(r"[a-zA-Z0-9_.][a-zA-Z0-9_.-]*")
_GROUP_NAME: Final = re.compile(r"[\w\U0001F000-\U0010FFFF][\w\U0001F000-\U0010FFFF().\- ]*")
_PROJECT_NAME: Final = re.compile(r"[\w\U0001F000-\U0010FFFF][\w\U0001F000-\U0010FFFF+.\- ]*")

#: First parts of paths that the application reserves.
_TOP: Final = frozenset(
    """- . .. .well-known 404.html 422.html 500.html 502.html 503.html admin api assets dashboard deploy.html explore
    favicon.ico favicon.png files groups health_check help import invites jwt login oauth profile projects public
    robots.txt s search sitemap sitemap.xml sitemap.xml.gz slash-command-logo.png snippets unsubscribes uploads users
    v2""".split()  # noqa: SIM905 - a list of words
)
#: Parts that would hide a project's pages.
_PROJECT: Final = frozenset(
    """- badges blame blob builds commits create create_dir edit files find_file new preview raw refs tree update
    wikis""".split()  # noqa: SIM905 - shorter than a list of quoted words
)


def path_errors(path: str, *, project: bool, top: bool = False) -> list[str]:
    """Return the errors of the last part of a path; `top` for a group or user without a parent."""
    ends = (".git", ".atom") if project else (".", ".git", ".atom")
    errors = []
    if not path:
        errors.append("can't be blank")
    elif len(path) > _LONGEST:
        errors.append(f"is too long (maximum is {_LONGEST} characters)")
    if not _PATH.fullmatch(path) or path.lower().endswith(ends):
        errors.append(
            "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.git' or end in '.atom'"
            if project
            else "can contain only letters, digits, '_', '-' and '.'. "
            "Cannot start with '-' or end in '.', '.git' or '.atom'."
        )
    reserved = _PROJECT if project else (_TOP if top else frozenset({"-"}))
    if path.lower() in reserved:
        errors.append("is a reserved name")
    return errors


def name_errors(name: str, *, project: bool) -> list[str]:
    """Return the errors of a display name."""
    if not name.strip():
        return ["can't be blank"]
    if len(name) > _LONGEST:
        return [f"is too long (maximum is {_LONGEST} characters)"]
    if project and not _PROJECT_NAME.fullmatch(name):
        return [
            "can contain only letters, digits, emoji, '_', '.', '+', dashes, or spaces. "
            "It must start with a letter, digit, emoji, or '_'."
        ]
    if not project and not _GROUP_NAME.fullmatch(name):
        return [
            "can contain only letters, digits, emoji, '_', '.', dashes, spaces or parenthesis. "
            "It must start with a letter, digit, emoji, or '_'."
        ]
    return []


def path_from(name: str) -> str:
    """Return a path for a project with this name."""
    return re.sub(r"[^a-zA-Z0-9_.]+", "-", name).strip("-.").lower()


def shown(errors: dict[str, list[str]]) -> str:
    """Return errors of a model in the format of a printed Ruby hash."""
    inside = ", ".join(
        f":{name}=>[" + ", ".join('"' + text.replace('"', '\\"') + '"' for text in texts) + "]"
        for name, texts in errors.items()
    )
    return "{" + inside + "}"
