"""Problems with what a command reads, shown as `file:line:column: text`. A command reports all of them in one go."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from usine_ci.text import clean


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong, and where. `line` and `column` count from 1; 0 if the problem has no such place."""

    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        """Return the problem as one line, without control characters."""
        place = "".join(f":{number}" for number in (self.line, self.column) if number)
        return clean(f"{self.file}{place}: {self.text}")


class RefusedError(Exception):
    """A command cannot do its work: the input is wrong, or a tool or system failed. Exit 2."""

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        """Keep the problems, or the only one that has no place."""
        self.lines = (clean(problems),) if isinstance(problems, str) else tuple(map(str, sorted(problems)))
        super().__init__("\n".join(self.lines))


def did_you_mean(given: str, allowed: Collection[str]) -> str:
    """Return a suggestion for a misspelt word, or all allowed words."""
    near = difflib.get_close_matches(given, allowed, n=1)
    return f"did you mean {near[0]}?" if near else f"allowed: {', '.join(allowed)}"
