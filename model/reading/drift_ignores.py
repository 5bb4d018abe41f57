"""The file `drift-ignore.yaml`: intended differences, with their owner, reason and last day. See docs/drift.md."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from model.problems import START, Problem, SpecError
from model.reading import fields as f
from model.reading.dated import DatedFile, DatedSection, Expiring, Pattern, check_pattern
from model.reading.section import Section, fixed
from model.reading.yaml_reader import MAX_BYTES
from model.texts import did_you_mean, show

#: The file's place in the repository.
IGNORES_FILE: Final = "drift-ignore.yaml"
#: A difference that is intended for longer belongs into the tenant files or the components.
LONGEST: Final = datetime.timedelta(days=366)
_PACKAGES = ("gitlab", "harbor", "keycloak", "kubernetes", "pulumi-python", "vault")


@dataclass(frozen=True, slots=True)
class IgnoreRule(Expiring):
    """One entry of the file. `line` and `column` are its place and do not count in comparisons.

    `name`, `type` and `property` are globs in which ``*`` stands for any text and nothing else is special. `kind` is
    ``changed``, ``missing`` or ``unmanaged``, None for any. `property` None: whole objects, with all their properties.
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

    def covers(self, *, kind: str, name: str, type_: str, path: str) -> bool:
        """Return whether it is about this difference; `path` is empty for a whole object."""
        if self.kind not in {None, kind} or not (_matches(self.name, name) and _matches(self.type, type_)):
            return False
        return self.property is None or (bool(path) and _matches(self.property, path, below=True))


def _matches(glob: str, text: str, *, below: bool = False) -> bool:
    pattern = ".*".join(re.escape(part) for part in glob.split("*"))
    return re.fullmatch(pattern + (r"(?:[.\[].*)?" if below else ""), text, re.DOTALL) is not None


def _check_type(value: str) -> str:
    package, colon, _ = check_pattern(value).partition(":")
    if "*" not in package and (not colon or package not in _PACKAGES):
        raise ValueError(
            f"no such type: {show(value)}; a type starts with a provider's name and a colon, as in the report; "
            f"{did_you_mean(package, _PACKAGES)}"
        )
    return value


class IgnoreSection(DatedSection):
    """One rule."""

    name: Pattern | None = None
    """Names of objects, as the report shows them; * stands for any text."""
    type: Annotated[str, AfterValidator(_check_type)] | None = None
    """Their types."""
    property: Pattern | None = None
    """Paths of properties, which include all below them. Without this key, the rule ignores whole objects."""
    kind: Annotated[str, *fixed("kind", "changed", "missing", "unmanaged")] | None = None
    owner: f.Person
    """The person who answers for it."""


class IgnoresSection(Section):
    """The whole file."""

    ignores: list[IgnoreSection] = Field(default=[])


_FILE: Final[DatedFile[IgnoreSection, IgnoreRule]] = DatedFile(
    key="ignores",
    section=IgnoresSection,
    longest=LONGEST,
    noun="a rule",
    verb="ignored",
    entry=lambda section, place: IgnoreRule(
        name=section.name or "*",
        type=section.type or "*",
        property=section.property,
        kind=section.kind,
        reason=section.reason,
        owner=section.owner,
        expires=section.expires,
        line=place[0],
        column=place[1],
    ),
    subject=lambda rule: (rule.name, rule.type, rule.property, rule.kind),
)


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
    return _FILE.read(data, source, today, _misfits)


def _misfits(entry: IgnoreSection) -> Iterator[tuple[str | None, str]]:
    """Yield the problems of a rule that involve several keys: the key, or None for the rule, and the message."""
    if entry.name is None and entry.type is None:
        yield None, "the rule names no object: name or type is missing"
    if entry.property is not None and entry.kind in {"missing", "unmanaged"}:
        yield "property", f"an object that is {entry.kind} has no property that differs: leave out property, or kind"
