"""The glossary is well-formed, and no tracked text uses a word that its last section rejects.

`python -m tests.test_words` prints each place where a rejected word stands.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY = "docs/glossary.md"
_ROW = re.compile(r"(?m)^\| (?!not \||English \|)(.+) \|$")

#: Files whose words are not ours, or not English.
OUTSIDE: dict[str, str] = {
    "LICENSE": "a legal text",
    "docs/guide-equipes.md": "French",
    "requirements*.txt": "written by uv",
    "tests/test_words.py": "the words themselves",
    "lab/build/*.sum": "written by Go",
    "lab/plugins/schemas/*": "texts of the official plugins' schemas",
    "usine/diff/replacement.json": "property names of the official plugins",
}
#: (files, word): the reason why this word may stand there.
EXEMPT: dict[tuple[str, str], str] = {
    ("docs/report.schema.json", "mend"): "key of the published JSON format",
    ("usine/report/as_json.py", "mend"): "key of the published JSON format",
    ("docs/stand-ins.md", "rails"): "Ruby on Rails, whose time zones GitLab accepts",
    ("lab/standins/gitlab/cron.py", "rails"): "Ruby on Rails, whose time zones GitLab accepts",
    ("lab/standins/gitlab/params.py", "rails"): "Ruby on Rails, whose parameters GitLab reads",
    ("lab/tests/platform/test_real_gitlab.py", "rails"): "the command gitlab-rails",
}


class Place(NamedTuple):
    """A rejected word in a file."""

    path: str
    line: int
    word: str


def cells(section: str) -> list[list[str]]:
    """The rows of a section's table, without its head."""
    return [row.split(" | ") for row in _ROW.findall(section) if not row.startswith("--")]


def sections() -> tuple[str, str]:
    """The glossary's terms, and its rejected words."""
    terms, _, rejected = (ROOT / GLOSSARY).read_text(encoding="utf-8").partition("\n## Words we do not use\n")
    return terms, rejected


def rejected_words() -> tuple[str, ...]:
    """Each form of each rejected word, in lower case."""
    return tuple(word for row in cells(sections()[1]) for word in re.findall("`([^`]+)`", row[0]))


def pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern that finds words as whole words, also where a phrase continues on the next line of a comment."""
    forms = (r"[\s#*/]+".join(map(re.escape, word.split())) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{'|'.join(forms)})(?![\w-])", re.IGNORECASE)


def texts() -> Iterator[tuple[str, str]]:
    """Path and content of each tracked text file, without the glossary's own list."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=True)
    for path in filter(None, listed.stdout.decode().split("\0")):
        if any(fnmatch(path, name) for name in OUTSIDE) or not (ROOT / path).is_file():
            continue
        try:
            content = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        yield path, sections()[0] if path == GLOSSARY else content


def places() -> Iterator[Place]:
    """Every rejected word, but those that are exempt."""
    wanted = pattern(rejected_words())
    for path, content in texts():
        for match in wanted.finditer(content):
            word = re.sub(r"[\s#*/]+", " ", match[0].lower())
            if not any(fnmatch(path, name) and word == exempt for name, exempt in EXEMPT):
                yield Place(path, content.count("\n", 0, match.start()) + 1, word)


def test_each_term_has_both_languages_and_one_meaning() -> None:
    rows = cells(sections()[0])
    assert len(rows) > 40
    for row in rows:
        assert len(row) == 3, row
        english, french, meaning = row
        assert english.strip(), row
        assert french.strip(), row
        assert meaning.endswith("."), row


def test_terms_are_sorted_and_unique() -> None:
    terms = [row[0].lower() for row in cells(sections()[0])]
    assert terms == sorted(set(terms))


def test_each_rejected_word_has_a_replacement() -> None:
    rows = cells(sections()[1])
    assert rows
    assert [row for row in rows if len(row) != 2 or not re.search("`[^`]+`", row[0]) or not row[1].strip()] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("To mend: run it again", ["mend"]),
        ("an amendment, recommended", []),
        ("it is\n    # said there", ["is\n    # said"]),
        ("The user said so, and GitLab told us.", []),
        ("Rails(settings)", ["Rails"]),
        ("gitlab_rails['omniauth'] and gitlab-rails", []),
        ("she looks for drift", ["looks for drift"]),
        ("look for driftwood", []),
    ],
)
def test_whole_words_only(text: str, found: list[str]) -> None:
    assert pattern(rejected_words()).findall(text) == found


def test_no_rejected_word_stands_in_a_tracked_text() -> None:
    lines = [f"{place.path}:{place.line}: {place.word}" for place in places()]
    assert not lines, f"{GLOSSARY} has the words to use instead:\n" + "\n".join(lines)


def test_exemptions_are_still_needed() -> None:
    read = list(texts())
    for name, word in EXEMPT:
        there = [text for path, text in read if fnmatch(path, name)]
        # The pipeline's own test runs in a checkout without most tests.
        assert not there or any(pattern((word,)).search(text) for text in there), (name, word)


if __name__ == "__main__":
    for one in places():
        print(f"{one.path}:{one.line}: {one.word}")
