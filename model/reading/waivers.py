"""The waivers file: exceptions from rules, with their author, reason and last day. See docs/rules.md."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import Field

from model.reading import fields as f
from model.reading.dated import DatedFile, DatedSection, Expiring, Pattern
from model.reading.section import Section
from model.texts import did_you_mean, show

#: The file's place in the repository.
WAIVERS_FILE: Final = "waivers.yaml"
#: A waiver is for one case and ends with it.
LONGEST: Final = datetime.timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Waiver(Expiring):
    """One entry of the file. `line` and `column` are its place and do not count in comparisons.

    `tenant` None: the waiver is for notices about no tenant, and for those only. `object` is a glob over what the rule
    names (a field, a resource, a kind of object). `removals` is how many objects of a kind may be removed; None except
    for the rule that counts them. `expires` is the last day it holds.
    """

    rule: str
    tenant: str | None
    object: str
    by: str
    reason: str
    expires: datetime.date
    removals: int | None = None
    line: int = field(default=1, compare=False)
    column: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class WaiverWords:
    """What an entry may name: `rules` that can be waived, `counting` the one that takes `removals`, `people`."""

    rules: Collection[str]
    counting: str
    people: Collection[str]


class WaiverSection(DatedSection):
    """One waiver."""

    rule: str
    """Id of the rule."""
    tenant: f.Slug | None = None
    object: Pattern = "*"
    """What it is about, as the notice names it; * stands for any text."""
    by: f.Person
    removals: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """How many objects of the kind may go."""


class WaiversSection(Section):
    """The whole file."""

    waivers: list[WaiverSection] = Field(default=[])


_FILE: Final[DatedFile[WaiverSection, Waiver]] = DatedFile(
    key="waivers",
    section=WaiversSection,
    longest=LONGEST,
    noun="a waiver",
    verb="waived",
    entry=lambda section, place: Waiver(
        rule=section.rule,
        tenant=section.tenant,
        object=section.object,
        by=section.by,
        reason=section.reason,
        expires=section.expires,
        removals=section.removals,
        line=place[0],
        column=place[1],
    ),
    subject=lambda waiver: (waiver.rule, waiver.tenant, waiver.object),
)


def read_waivers(
    data: bytes, words: WaiverWords, today: datetime.date, source: str = WAIVERS_FILE
) -> tuple[Waiver, ...]:
    """Return the waivers of a file's bytes, in its order; expired ones too. Raises SpecError with all problems."""
    return _FILE.read(data, source, today, lambda section: _misfits(section, words))


def _misfits(entry: WaiverSection, words: WaiverWords) -> Iterator[tuple[str, str]]:
    """Yield the problems of an entry that involve several keys, the rules or the people: key and message."""
    if entry.rule not in words.rules:
        yield (
            "rule",
            f"no rule of this name can be waived: {show(entry.rule)}; {did_you_mean(entry.rule, words.rules)}",
        )
    elif (entry.rule == words.counting) != (entry.removals is not None):
        if entry.removals is None:
            yield "removals", f"{entry.rule} needs a number of objects: removals is missing"
        else:
            yield "removals", f"only {words.counting} counts removals: leave it out"
    if entry.rule == words.counting and set(entry.object) & set("*?["):
        yield "object", "name one kind: tenant, or a Pulumi type such as vault:index/policy:Policy"
    if entry.by not in words.people:
        people = sorted(words.people)
        yield "by", f"no such person in usine:changes.platformTeam: {show(entry.by)}; {did_you_mean(entry.by, people)}"
