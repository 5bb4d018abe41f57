"""Files of dated entries: each names who answers for it, why it is there, and the last day it holds."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, ValidationError

from model.problems import START, Finding, KeyPath, Position, Problem, SpecError, locate
from model.reading import fields as f
from model.reading.explain import explain
from model.reading.json_schema import FileSchema
from model.reading.section import Section
from model.reading.yaml_reader import examine


def check_pattern(value: str) -> str:
    """Return a legal pattern of names. Raises ValueError."""
    if not value or not value.isprintable() or value != value.strip():
        raise ValueError("expected a name as the report shows it; * stands for any text")
    return value


Pattern = Annotated[str, AfterValidator(check_pattern)]


class DatedSection(Section):
    """What every entry has."""

    reason: f.Reason
    expires: f.Date
    """The last day it holds."""


class Expiring:
    """An entry with a last day."""

    __slots__ = ()
    expires: datetime.date

    def expired(self, today: datetime.date) -> bool:
        """Return whether its last day is over."""
        return today > self.expires


S = TypeVar("S", bound=DatedSection)
E = TypeVar("E", bound=Expiring)


@dataclass(frozen=True, slots=True)
class DatedFile(Generic[S, E]):
    """One kind of file: a mapping with one `key`, and below it a list of entries.

    `section` validates the whole file. An entry lasts `longest` days at most. `noun` and `verb` are words of messages:
    a waiver is waived. `entry` makes an entry of its section and its place; two entries with the same `subject` are a
    problem.
    """

    key: str
    section: type[Section]
    longest: datetime.timedelta
    noun: str
    verb: str
    entry: Callable[[S, Position], E]
    subject: Callable[[E], Hashable]

    def read(
        self,
        data: bytes,
        source: str,
        today: datetime.date,
        check: Callable[[S], Iterator[tuple[str | None, str]]],
    ) -> tuple[E, ...]:
        """Return the entries of a file's bytes, in its order, the expired ones too.

        `check` yields the problems of an entry that involve several keys or other files: the key, or None for the entry
        itself, and the message. Raises SpecError with all problems.
        """
        examined = examine(data, source)
        problems = list(examined.problems)
        if not isinstance(examined.value, dict):
            if not problems:
                message = f"expected a mapping with the key {self.key} and a list below it"
                problems = [Problem(source, *START, message)]
            raise SpecError(problems)
        found: list[tuple[KeyPath, str]] = []
        findings: list[Finding] = []
        sections: list[S] = []
        try:
            sections = getattr(self.section.model_validate(examined.value), self.key)
        except ValidationError as error:
            findings += explain(error, source, self.section.model_json_schema(schema_generator=FileSchema))
        entries: list[E] = []
        for index, section in enumerate(sections):
            for key, message in (*check(section), *self._too_long(section, today)):
                path: KeyPath = (self.key, index) if key is None else (self.key, index, key)
                found.append((path, f"{self.key}[{index}]{'' if key is None else f'.{key}'}: {message}"))
            entries.append(self.entry(section, examined.places[(self.key, index)].value))
        found += self._doubles(entries)
        findings += [Finding(source, path, message) for path, message in found]
        problems += [locate(finding, examined.places) for finding in findings]
        if problems:
            raise SpecError(problems)
        return tuple(entries)

    def _too_long(self, section: DatedSection, today: datetime.date) -> Iterator[tuple[str, str]]:
        last = today + self.longest
        if section.expires > last:
            days = self.longest.days
            yield "expires", f"{self.noun} lasts {days} days at most: until {last} if it starts today"

    def _doubles(self, entries: list[E]) -> Iterator[tuple[KeyPath, str]]:
        first: dict[Any, int] = {}
        for index, entry in enumerate(entries):
            other = first.setdefault(self.subject(entry), index)
            if other != index:
                message = f"{self.key}[{index}]: the same is {self.verb} by {self.key}[{other}]: keep one of them"
                yield (self.key, index), message
