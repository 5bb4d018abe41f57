"""Names of branches, tags and commits."""

from __future__ import annotations

import re

_GIT_REF = re.compile(r"[A-Za-z0-9._/@#+=-]{1,100}")


def check_git_name(value: str, what: str = "a branch, tag or commit") -> str:
    """Return a legal Git name (the rules of ``git check-ref-format``, ASCII only). Raises ValueError."""
    parts = value.split("/")
    if (
        not _GIT_REF.fullmatch(value)
        or value.startswith("-")
        or ".." in value
        or "@{" in value
        or value == "@"
        or value.endswith(".")
        or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
    ):
        raise ValueError(f"not a legal name of {what} in Git")
    if value.startswith("refs/"):
        raise ValueError(f"write the short name of {what}, without refs/...")
    return value


def check_revision(value: str) -> str:
    """Return a branch, a commit, or a tag as refs/tags/NAME. Raises ValueError."""
    tag = value.removeprefix("refs/tags/")
    if value.startswith("refs/") and tag == value:
        raise ValueError("write the short name of a branch or commit, or a tag as refs/tags/NAME")
    check_git_name(tag)
    return value


def check_branch(value: str) -> str:
    """Return the name of a branch. Raises ValueError."""
    return check_git_name(value, "a branch")


def check_branch_pattern(value: str) -> str:
    """Return the name of a branch, in which one * may stand for anything. Raises ValueError."""
    if "*" in value and not re.search(r"\*\*", value):
        check_git_name(value.replace("*", "x"), "a branch")
        return value
    return check_git_name(value, "a branch (one * stands for anything)")
