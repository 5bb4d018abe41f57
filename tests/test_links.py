"""Links between documents lead to a file, and to a heading of it, that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]+)\)")
_MENTION = re.compile(r"(?<![\w/.\"'-])docs/[\w/-]+\.md\b")
#: Names in tests' sample texts.
_SAMPLES = {"docs/x.md"}
_FENCE = re.compile(r"(?ms)^ *```.*?^ *```\s*?$")


def tracked(*patterns: str) -> list[Path]:
    """The tracked files that match."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", *patterns], capture_output=True, check=True)
    return [ROOT / path for path in filter(None, listed.stdout.decode().split("\0")) if (ROOT / path).is_file()]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitLab makes them."""
    found = set()
    for heading in re.findall(r"(?m)^#+ (.+)$", _FENCE.sub("", text)):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"-+", "-", re.sub(r"[^\w -]", "", plain).replace(" ", "-")))
    return found


def broken(file: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    text = file.read_text(encoding="utf-8")
    found = []
    for link in _LINK.findall(_FENCE.sub("", text)):
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            found.append(link)
    return found


@pytest.mark.parametrize("file", tracked("*.md"), ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(file: Path) -> None:
    assert broken(file) == []


def test_pages_that_code_and_settings_name_exist() -> None:
    missing = []
    for file in tracked("*.py", "*.yaml", "*.yml", "*.toml", "Makefile", "*.j2", "*.in"):
        for page in _MENTION.findall(file.read_text(encoding="utf-8")):
            if page not in _SAMPLES and not (ROOT / page).exists():
                missing.append(f"{file.relative_to(ROOT)}: {page}")
    assert missing == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        file = waiting.pop()
        if file in seen or file.suffix != ".md":
            continue
        seen.add(file)
        links = _LINK.findall(_FENCE.sub("", file.read_text(encoding="utf-8")))
        waiting += [(file.parent / link.partition("#")[0]).resolve() for link in links if not link.startswith("#")]
    assert [str(page.relative_to(ROOT)) for page in tracked("docs/*.md") if page not in seen] == []
