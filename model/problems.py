"""Problems of files, with their places."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

#: Keys and list indexes from the top of a file down to a value.
KeyPath = tuple[str | int, ...]

#: Takes a problem of the settings: the path below the name space, and the message.
Note = Callable[[KeyPath, str], None]

#: Line and column, both from 1; columns count characters.
Position = tuple[int, int]

START: Position = (1, 1)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One problem: `file` as the caller names it, `line` and `column` from 1, a `message` without final dot."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        """Render as ``file:line:column: message``, which editors and forges turn into a link."""
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class SpecError(Exception):
    """Files have problems. `problems` are all of them, sorted and without duplicates; never empty."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems, sorted by file, line and column."""
        self.problems = tuple(sorted(set(problems)))
        super().__init__(render_text(self.problems))


def render_text(problems: Iterable[Problem]) -> str:
    """Render one problem a line."""
    return "\n".join(str(problem) for problem in problems)


def render_json(problems: Iterable[Problem]) -> str:
    """Render ``{"problems": [{"file", "line", "column", "message"}]}``, indented, accents kept."""
    rows = [{"file": p.file, "line": p.line, "column": p.column, "message": p.message} for p in problems]
    return json.dumps({"problems": rows}, ensure_ascii=False, indent=2)


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem at a key path of one file, without its line yet.

    `at_key`: the place is that of the key, not of its value.
    """

    source: str
    path: KeyPath
    message: str
    at_key: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """The positions of a key and of its value (the same for list items)."""

    key: Position
    value: Position


def locate(finding: Finding, places: Mapping[KeyPath, Place]) -> Problem:
    """Return the problem of a finding. If the file does not have the path, the place is that of the nearest parent."""
    path = finding.path
    at_key = finding.at_key
    while path and path not in places:
        # A missing key is reported at the key of the mapping that lacks it: the value may start a line below.
        path, at_key = path[:-1], True
    place = places.get(path, Place(START, START))
    line, column = place.key if at_key else place.value
    return Problem(finding.source, line, column, finding.message)
