"""What the rules look at."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from usine.report.model import Entry
from usine.spec.model import Project
from usine.spec.settings import Settings


@dataclass(frozen=True, slots=True)
class Change:
    """A change from one revision to another, as plain values.

    `base` and `head` hold every tenant by slug. `base` is None when the base's files cannot be read by this program:
    then the rules that compare say nothing. `files` are the paths that differ, from the repository's root. `entries` is
    the semantic difference, `existing` how many objects of each type token the base has over the whole fleet (empty:
    unknown). `author` is the GitLab user name of who asks for it, None where nobody says. `today` is a date in UTC.
    """

    settings: Settings
    base: Mapping[str, Project] | None
    head: Mapping[str, Project]
    files: frozenset[str]
    entries: tuple[Entry, ...]
    existing: Mapping[str, int]
    author: str | None
    today: datetime.date
