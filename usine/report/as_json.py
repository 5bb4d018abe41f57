"""A report as JSON, for machines and for storage. A written report is read back unchanged.

The version of the format is in the file. Within a version, fields may be added; a reader ignores unknown fields.
`docs/report.schema.json` is the published JSON Schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from pulumi_facts.paths import render as render_path
from pulumi_facts.values import ABSENT, Absent
from usine.report.model import (
    Action,
    Entry,
    EntrySeverity,
    Kind,
    Notice,
    PropertyChange,
    Report,
    Severity,
    StoredCredential,
)

#: Changes if a reader of the previous version would misread the new one.
FORMAT = "usine-report/1"
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class ReportError(ValueError):
    """A text is not a report. The message has one line for each mistake, with its place."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Property(_Part):
    """One property that differs. A side that is left out is absent; null is a value."""

    path: str = Field(description='As Pulumi writes it: spec.hard["limits.cpu"], members[0].')
    before: JsonValue = Field(default=None, description="In drift: what is expected.")
    after: JsonValue = Field(default=None, description="In drift: what is found.")


class _Entry(_Part):
    """One object."""

    action: Action
    tenant: str | None = Field(description="null: the foundation.")
    system: str
    type: str = Field(description="Pulumi type token.")
    name: str
    properties: tuple[_Property, ...] = ()
    holds_data: bool = Field(default=False, description="Its loss cannot be undone.")
    loses_data: bool = Field(default=False, description="Data is lost. Follows from action and holds_data.")
    seconds: float | None = Field(default=None, ge=0, description="How long it took.")
    note: str = Field(default="", description="One line for people.")
    severity: EntrySeverity = Field(
        default=EntrySeverity.NORMAL,
        description="Of drift. critical: unauthorised access. high: a protection is missing or weaker.",
    )


class _Notice(_Part):
    """One message of a rule, of a check or of the run itself."""

    rule: str
    severity: Severity
    text: str
    # The key has its former name: programs read these reports.
    remedy: str = Field(default="", alias="mend", description="How to fix it.")
    path: str = Field(default="", description="A file of the repository, or empty.")
    line: int = Field(default=1, ge=1)
    column: int = Field(default=1, ge=1)
    tenant: str | None = None
    waived_by: str = ""


class _Credential(_Part):
    """A credential that the platform created and stores, without its value."""

    tenant: str | None = Field(description="null: the foundation.")
    system: str
    type: str = Field(description="Pulumi type token.")
    name: str
    generation: str = Field(default="", description="Its credential generation; empty if it has none.")
    ends: str = Field(
        default="", description="From when its system refuses it: 2027-03-31T23:59:59Z; empty if it does not end."
    )


class _Fact(_Part):
    label: str
    value: str


class _Report(_Part):
    """The report of `usine diff`, `up`, `preview` or `drift`."""

    format: Literal["usine-report/1"]
    kind: Kind
    title: str
    verdict: str
    refused: bool = Field(default=False, description="A notice refuses the change. Follows from the notices.")
    counts: dict[Action, int] = Field(default={}, description="Entries by action. Follows from the entries.")
    facts: tuple[_Fact, ...] = ()
    notices: tuple[_Notice, ...] = ()
    entries: tuple[_Entry, ...] = Field(default=(), description="The largest risks first.")
    credentials: tuple[_Credential, ...] = Field(default=(), description="The first to end first.")
    effects: tuple[tuple[str, ...], ...] = Field(
        default=(),
        description="Tenants for which the same happens, apart from their own names. The largest group comes first.",
    )


def render(report: Report) -> str:
    """Render as JSON of format `FORMAT`, in ASCII, the same bytes for equal reports.

    Half a surrogate pair is not a character, and readers refuse it: it is written as U+FFFD.
    """
    document = {
        "format": FORMAT,
        "kind": report.kind,
        "title": report.title,
        "verdict": report.verdict,
        "refused": report.refused,
        "counts": dict(sorted(report.counts().items())),
        "facts": [{"label": label, "value": value} for label, value in report.facts],
        "notices": [_notice(notice) for notice in report.notices],
        "entries": [_entry(entry) for entry in report.entries],
        "credentials": [asdict(credential) for credential in report.credentials],
        "effects": report.effects,
    }
    whole = _HALF_A_PAIR.sub("\ufffd", json.dumps(document, ensure_ascii=False, allow_nan=False))
    return json.dumps(json.loads(whole), indent=1) + "\n"


def _notice(notice: Notice) -> dict[str, object]:
    return {field.alias or name: getattr(notice, name) for name, field in _Notice.model_fields.items()}


def _entry(entry: Entry) -> dict[str, object]:
    values = {name: getattr(entry, name) for name in _Entry.model_fields if name != "properties"}
    return values | {"properties": [_property(change) for change in entry.properties]}


def _property(change: PropertyChange) -> dict[str, object]:
    sides = (("before", change.before), ("after", change.after))
    return {"path": change.path, **{side: value for side, value in sides if not isinstance(value, Absent)}}


def load(text: str) -> Report:
    """Read what `render` wrote. Raises ReportError (a ValueError) with every mistake, one a line."""
    try:
        read = _Report.model_validate_json(text)
    except ValidationError as error:
        raise ReportError(_mistakes(error)) from None
    return Report(
        kind=read.kind,
        title=read.title,
        verdict=read.verdict,
        facts=tuple((fact.label, fact.value) for fact in read.facts),
        entries=tuple(_read_entry(entry) for entry in read.entries),
        notices=tuple(Notice(**dict(notice)) for notice in read.notices),
        credentials=tuple(StoredCredential(**dict(credential)) for credential in read.credentials),
        effects=read.effects,
    )


def _read_entry(entry: _Entry) -> Entry:
    values = dict(entry)
    del values["loses_data"]
    values["properties"] = tuple(_read_property(change) for change in entry.properties)
    return Entry(**values)


def _read_property(change: _Property) -> PropertyChange:
    given = change.model_fields_set
    return PropertyChange(
        change.path,
        change.before if "before" in given else ABSENT,
        change.after if "after" in given else ABSENT,
    )


def _mistakes(error: ValidationError) -> str:
    # Without the values: a file that is not a report may have secrets.
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "\n".join(f"{_path(mistake['loc'])}{mistake['msg']}" for mistake in found)


def _path(location: Sequence[int | str]) -> str:
    path = render_path(location)
    return f"{path}: " if path else ""


def schema() -> str:
    """Render the JSON Schema of the format."""
    generated = cast("dict[str, object]", _Report.model_json_schema())
    generated.pop("title", None)
    document = {"$schema": _SCHEMA_DIALECT, "title": f"Report of Usine, {FORMAT}", **generated}
    return json.dumps(document, indent=2) + "\n"
