"""The words and signs of every form of a report, so that a terminal, a comment and a page say the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from usine.report.model import FOUNDATION, Action, Entry, Kind, Report, Severity

#: Read without colour, and in the order of risk.
SIGNS = {
    Action.DESTROYED: "-",
    Action.REPLACED: "-/+",
    Action.FAILED: "!",
    Action.MISSING: "-",
    Action.UNMANAGED: "?",
    Action.CHANGED: "~",
    Action.CREATED: "+",
}

_TO_DO = {
    Action.DESTROYED: "to destroy",
    Action.REPLACED: "to replace",
    Action.CHANGED: "to change",
    Action.CREATED: "to create",
}


@dataclass(frozen=True, slots=True)
class ReportStatus:
    """What a report comes to: the label people read, and its tone: `bad`, `warn`, `plain` or `good`."""

    label: str
    tone: str


def status(report: Report) -> ReportStatus:
    """Say what a report comes to: the worst that is in it."""
    counts = report.counts()
    if report.refused:
        return ReportStatus("Could not tell" if report.kind is Kind.DRIFT else "Refused", "bad")
    if counts[Action.FAILED]:
        return ReportStatus("Failed", "bad")
    if any(entry.opens for entry in report.entries):
        return ReportStatus("A way in is open", "bad")
    if any(entry.loses_data for entry in report.entries):
        return ReportStatus("Data would be lost" if report.kind is Kind.DIFF else "Data is lost", "bad")
    if report.kind is Kind.DRIFT and report.entries:
        return ReportStatus("Drift", "warn")
    if any(not notice.waived_by and notice.severity is not Severity.INFO for notice in report.notices):
        return ReportStatus("Look twice", "warn")
    if not report.entries:
        return ReportStatus("No drift" if report.kind is Kind.DRIFT else "Nothing changes", "good")
    return ReportStatus("Done", "good") if report.kind is Kind.RUN else ReportStatus("Changes", "plain")


def action_word(kind: Kind, action: Action) -> str:
    """Name an action: ``to destroy`` of a change not yet made, ``destroyed`` of a run, ``missing`` of drift."""
    return _TO_DO.get(action, action.value) if kind is Kind.DIFF else action.value


def actions_of(report: Report) -> tuple[Action, ...]:
    """Return the actions that appear, in the order of risk."""
    counts = report.counts()
    return tuple(action for action in Action if counts[action])


def sides(kind: Kind) -> tuple[str, str]:
    """Name the two sides of a property."""
    return ("expected", "found") if kind is Kind.DRIFT else ("before", "after")


def loss_title(kind: Kind) -> str:
    """Head the list of what loses data."""
    return {
        Kind.DIFF: "Data that will be destroyed",
        Kind.RUN: "Data that was destroyed",
        Kind.DRIFT: "Data that is missing",
    }[kind]


def tenant_name(tenant: str | None) -> str:
    """Name a tenant, or what all tenants share."""
    return FOUNDATION if tenant is None else tenant


def type_name(type_: str) -> str:
    """Return the last part of a type token: ``Project`` of ``gitlab:index/project:Project``."""
    return type_.rpartition(":")[2] or type_


def object_name(entry: Entry) -> str:
    """Return the name without the tenant and the system it starts with, which stand above it wherever it is listed."""
    prefix = f"{entry.tenant or 'foundation'}/{entry.system}/"
    return entry.name.removeprefix(prefix) or entry.name


def plural(number: int, word: str) -> str:
    """Count things: ``1 object``, ``1,204 objects``."""
    return f"{number:,} {word if number == 1 else word + 's'}"


def duration(seconds: float) -> str:
    """Render seconds for people: ``0.4 s``, ``12 s``, ``3 min 05 s``."""
    if seconds < 10:  # noqa: PLR2004 - below, a tenth is worth saying
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def total_seconds(entries: Iterable[Entry]) -> float | None:
    """Sum the time that was measured; None where none was."""
    measured = [entry.seconds for entry in entries if entry.seconds is not None]
    return sum(measured) if measured else None
