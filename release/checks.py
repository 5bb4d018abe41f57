"""Checks before a version is tagged: the changelog, the tag, the work tree."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_SECTION = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Checkout:
    """The input of the checks: the version, the changelog's text, and the state of Git.

    `tagged` is the commit of the tag ``v<version>``, None if there is no such tag.
    """

    version: str
    changelog: str
    head: str
    tagged: str | None
    clean: bool


def read_checkout(root: Path, version: str) -> Checkout:
    """Read a checkout."""
    return Checkout(
        version,
        (root / "CHANGELOG.md").read_text(encoding="utf-8"),
        _git(root, "rev-parse", "HEAD") or "",
        _git(root, "rev-parse", "--verify", "--quiet", f"refs/tags/v{version}^{{commit}}"),
        _git(root, "status", "--porcelain") == "",
    )


def problems(checkout: Checkout) -> list[str]:
    """Return the obstacles to the release, one line each."""
    version, found = checkout.version, []
    if not _VERSION.fullmatch(version):
        found.append(f"usine.__version__ is {version!r}: expected X.Y.Z")
    sections = list(_SECTION.finditer(checkout.changelog))
    titles = [section["title"] for section in sections]
    if titles[:1] != ["Unreleased"]:
        found.append("CHANGELOG.md: the first section must be `## Unreleased`")
    elif _between(checkout.changelog, sections, 0):
        found.append(f"CHANGELOG.md: move what is below `## Unreleased` to `## {version} - <date>`")
    if not any(re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d{{2}}-\d{{2}}", title) for title in titles[1:2]):
        found.append(f"CHANGELOG.md: the second section must be `## {version} - <date>`")
    elif not _between(checkout.changelog, sections, 1):
        found.append(f"CHANGELOG.md: the section of {version} is empty")
    if not checkout.clean:
        found.append("the work tree has uncommitted changes")
    if checkout.tagged not in (None, checkout.head):
        found.append(f"v{version} is the tag of another commit: raise the version")
    return found


def _between(text: str, sections: list[re.Match[str]], number: int) -> str:
    end = sections[number + 1].start() if number + 1 < len(sections) else len(text)
    return text[sections[number].end() : end].strip()


def _git(root: Path, *arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
