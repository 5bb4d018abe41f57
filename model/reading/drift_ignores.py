"""The file `drift-ignore.yaml`: which differences are meant, whose, why, until when. See docs/drift.md."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from model.problems import START, Finding, Problem, SpecError, locate
from model.reading import fields as f
from model.reading.explain import explain
from model.reading.schema import FileSchema, Section, fixed
from model.reading.yaml_reader import MAX_BYTES, examine
from model.texts import did_you_mean, show

#: The file's place in the repository.
IGNORES_FILE: Final = "drift-ignore.yaml"
#: What is meant for ever belongs into the tenant files or the components.
LONGEST: Final = datetime.timedelta(days=366)
_SHORTEST_REASON = 10
_PACKAGES = ("gitlab", "harbor", "keycloak", "kubernetes", "pulumi-python", "vault")


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """One entry of the file. `line` and `column` say where it stands and are no part of what it says.

    `name`, `type` and `property` are globs in which ``*`` stands for anything and nothing else is special. `kind` is
    ``changed``, ``missing`` or ``unmanaged``, None for any. `property` None is about whole objects, and all of theirs.
    `expires` is the last day it holds.
    """

    name: str
    type: str
    property: str | None
    kind: str | None
    reason: str
    owner: str
    expires: datetime.date
    line: int = field(default=1, compare=False)
    column: int = field(default=1, compare=False)

    def expired(self, today: datetime.date) -> bool:
        """Say whether its last day is over."""
        return today > self.expires

    def covers(self, *, kind: str, name: str, type_: str, path: str) -> bool:
        """Say whether it is about this difference; `path` is empty for a whole object."""
        if self.kind not in {None, kind} or not (_matches(self.name, name) and _matches(self.type, type_)):
            return False
        return self.property is None or (bool(path) and _matches(self.property, path, below=True))


def _matches(glob: str, text: str, *, below: bool = False) -> bool:
    pattern = ".*".join(re.escape(part) for part in glob.split("*"))
    return re.fullmatch(pattern + (r"(?:[.\[].*)?" if below else ""), text, re.DOTALL) is not None


def _check_glob(value: str) -> str:
    if not value or not value.isprintable() or value != value.strip():
        raise ValueError("expected what the report names, * stands for anything")
    return value


def _check_type(value: str) -> str:
    package, colon, _ = _check_glob(value).partition(":")
    if "*" not in package and (not colon or package not in _PACKAGES):
        raise ValueError(
            f"no such type: {show(value)}; a type starts with a provider's name and a colon, as in the report; "
            f"{did_you_mean(package, _PACKAGES)}"
        )
    return value


def _check_reason(value: str) -> str:
    if len(value.strip()) < _SHORTEST_REASON or not value.isprintable():
        raise ValueError(f"expected a line of at least {_SHORTEST_REASON} characters that says why")
    return value.strip()


_Glob = Annotated[str, AfterValidator(_check_glob)]


class IgnoreSection(Section):
    """One rule."""

    name: _Glob | None = None
    """Names of objects, as the report gives them; * stands for anything."""
    type: Annotated[str, AfterValidator(_check_type)] | None = None
    """Their types."""
    property: _Glob | None = None
    """Paths of properties; what is below them is ignored too. Without it, the whole objects are."""
    kind: Annotated[str, *fixed("kind", "changed", "missing", "unmanaged")] | None = None
    reason: Annotated[str, AfterValidator(_check_reason)]
    """Why, for whoever reads it later."""
    owner: f.Person
    """Who answers for it."""
    expires: f.Date
    """The last day it holds."""


class IgnoresSection(Section):
    """The whole file."""

    ignores: list[IgnoreSection] = Field(default=[])


_FILE: TypeAdapter[IgnoresSection] = TypeAdapter(IgnoresSection)


def load_ignores(path: Path, today: datetime.date) -> tuple[IgnoreRule, ...]:
    """Return the rules of a file, in its order, expired ones too; none when there is no such file. Raises SpecError."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise SpecError([Problem(str(path), *START, f"cannot be read: {error.strerror}")]) from None
    return read_ignores(data, today, str(path))


def read_ignores(data: bytes, today: datetime.date, source: str = IGNORES_FILE) -> tuple[IgnoreRule, ...]:
    """Return the rules of a file's bytes. Raises SpecError with all that is wrong."""
    examined = examine(data, source)
    problems = list(examined.problems)
    if not isinstance(examined.value, dict):
        if not problems:
            problems = [Problem(source, *START, "expected a mapping with the key ignores and a list below it")]
        raise SpecError(problems)
    findings: list[Finding] = []
    stated: list[IgnoreSection] = []
    try:
        stated = _FILE.validate_python(examined.value).ignores
    except ValidationError as error:
        findings += explain(error, source, IgnoresSection.model_json_schema(schema_generator=FileSchema))
    rules: list[IgnoreRule] = []
    for index, entry in enumerate(stated):
        findings += _misfits(entry, index, today, source)
        line, column = examined.places[("ignores", index)].value
        rules.append(
            IgnoreRule(
                name=entry.name or "*",
                type=entry.type or "*",
                property=entry.property,
                kind=entry.kind,
                reason=entry.reason,
                owner=entry.owner,
                expires=entry.expires,
                line=line,
                column=column,
            )
        )
    findings += _doubles(rules, source)
    problems += [locate(finding, examined.places) for finding in findings]
    if problems:
        raise SpecError(problems)
    return tuple(rules)


def _misfits(entry: IgnoreSection, index: int, today: datetime.date, source: str) -> Iterator[Finding]:
    """Yield what is wrong with a rule beyond its single fields."""
    where = ("ignores", index)
    if entry.name is None and entry.type is None:
        yield Finding(source, where, f"ignores[{index}]: says of no object: name or type is missing")
    if entry.property is not None and entry.kind in {"missing", "unmanaged"}:
        message = f"an object that is {entry.kind} has no property that differs: leave out property, or kind"
        yield Finding(source, (*where, "property"), f"ignores[{index}].property: {message}")
    if entry.expires > today + LONGEST:
        message = f"a rule lasts {LONGEST.days} days at most: until {today + LONGEST} if it starts today"
        yield Finding(source, (*where, "expires"), f"ignores[{index}].expires: {message}")


def _doubles(rules: Sequence[IgnoreRule], source: str) -> Iterator[Finding]:
    first: dict[tuple[str, str, str | None, str | None], int] = {}
    for index, rule in enumerate(rules):
        other = first.setdefault((rule.name, rule.type, rule.property, rule.kind), index)
        if other != index:
            message = f"ignores[{index}]: the same is ignored by ignores[{other}]: keep one of them"
            yield Finding(source, ("ignores", index), message)
