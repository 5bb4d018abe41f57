"""The waivers file: which rule does not hold for whom, who says so, why, and until when. See docs/rules.md."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from model.problems import START, Finding, Problem, SpecError, locate
from model.reading import fields as f
from model.reading.explain import explain
from model.reading.schema import FileSchema, Section
from model.reading.yaml_reader import examine
from model.texts import did_you_mean, show

#: The file's place in the repository.
WAIVERS_FILE: Final = "waivers.yaml"
#: A waiver is for a case, not for ever.
LONGEST: Final = datetime.timedelta(days=90)
_SHORTEST_REASON = 10


@dataclass(frozen=True, slots=True)
class Waiver:
    """One entry of the file. `line` and `column` say where it stands and are no part of what it says.

    `tenant` is None where it is about no tenant in particular: then it waives only what concerns none. `object` is a
    glob over what the rule names (a field, a resource, a kind of object). `removals` is how many objects of a kind may
    go; None but for the rule that counts them. `expires` is the last day it holds.
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

    def expired(self, today: datetime.date) -> bool:
        """Say whether its last day is over."""
        return today > self.expires


@dataclass(frozen=True, slots=True)
class WaiverWords:
    """What an entry may name: `rules` that can be waived, `counting` the one that takes `removals`, `people`."""

    rules: Collection[str]
    counting: str
    people: Collection[str]


def _check_glob(value: str) -> str:
    if not value or not value.isprintable() or value != value.strip():
        raise ValueError("expected what the notice names, * stands for anything")
    return value


def _check_reason(value: str) -> str:
    if len(value.strip()) < _SHORTEST_REASON or not value.isprintable():
        raise ValueError(f"expected a line of at least {_SHORTEST_REASON} characters that says why")
    return value.strip()


class WaiverSection(Section):
    """One waiver."""

    rule: str
    """Id of the rule."""
    tenant: f.Slug | None = None
    object: Annotated[str, AfterValidator(_check_glob)] = "*"
    """What it is about, as the notice names it; * stands for anything."""
    by: f.Person
    reason: Annotated[str, AfterValidator(_check_reason)]
    """Why, for whoever reads it later."""
    expires: f.Date
    removals: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """How many objects of the kind may go."""


class WaiversSection(Section):
    """The whole file."""

    waivers: list[WaiverSection] = Field(default=[])


_FILE: TypeAdapter[WaiversSection] = TypeAdapter(WaiversSection)


def read_waivers(
    data: bytes, words: WaiverWords, today: datetime.date, source: str = WAIVERS_FILE
) -> tuple[Waiver, ...]:
    """Return the waivers of a file's bytes, in its order; expired ones too. Raises SpecError with all problems."""
    examined = examine(data, source)
    problems = list(examined.problems)
    value = examined.value
    if not isinstance(value, dict):
        if not problems:
            problems = [Problem(source, *START, "expected a mapping with the key waivers and a list below it")]
        raise SpecError(problems)
    findings: list[Finding] = []
    stated: list[WaiverSection] = []
    try:
        stated = _FILE.validate_python(value).waivers
    except ValidationError as error:
        findings += explain(error, source, WaiversSection.model_json_schema(schema_generator=FileSchema))
    places = examined.places
    waivers: list[Waiver] = []
    for index, entry in enumerate(stated):
        findings += _misfits(entry, index, words, today, source)
        line, column = places[("waivers", index)].value
        waivers.append(
            Waiver(
                rule=entry.rule,
                tenant=entry.tenant,
                object=entry.object,
                by=entry.by,
                reason=entry.reason,
                expires=entry.expires,
                removals=entry.removals,
                line=line,
                column=column,
            )
        )
    findings += _doubles(waivers, source)
    problems += [locate(finding, places) for finding in findings]
    if problems:
        raise SpecError(problems)
    return tuple(waivers)


def _misfits(
    entry: WaiverSection, index: int, words: WaiverWords, today: datetime.date, source: str
) -> Iterator[Finding]:
    """Yield what is wrong with an entry beyond its single fields."""

    def at(key: str, message: str) -> Finding:
        return Finding(source, ("waivers", index, key), f"waivers[{index}].{key}: {message}")

    if entry.rule not in words.rules:
        yield at(
            "rule", f"no rule of this name can be waived: {show(entry.rule)}; {did_you_mean(entry.rule, words.rules)}"
        )
    elif (entry.rule == words.counting) != (entry.removals is not None):
        if entry.removals is None:
            yield at("removals", f"{entry.rule} wants to know how many: removals is missing")
        else:
            yield at("removals", f"only {words.counting} counts removals: leave it out")
    if entry.rule == words.counting and set(entry.object) & set("*?["):
        yield at("object", "name one kind: tenant, or a Pulumi type such as vault:index/policy:Policy")
    if entry.by not in words.people:
        people = sorted(words.people)
        yield at(
            "by", f"no such person in usine:changes.platformTeam: {show(entry.by)}; {did_you_mean(entry.by, people)}"
        )
    if entry.expires > today + LONGEST:
        last = today + LONGEST
        yield at("expires", f"a waiver lasts {LONGEST.days} days at most: until {last} if it starts today")


def _doubles(waivers: Sequence[Waiver], source: str) -> Iterator[Finding]:
    first: dict[tuple[str, str | None, str], int] = {}
    for index, waiver in enumerate(waivers):
        other = first.setdefault((waiver.rule, waiver.tenant, waiver.object), index)
        if other != index:
            message = f"waivers[{index}]: the same is waived by waivers[{other}]: keep one of them"
            yield Finding(source, ("waivers", index), message)
