"""The words and signs of a report, the same in every output format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from usine.report.model import FOUNDATION, Action, Entry, Kind, Report, Severity

#: Signs that need no colour, in the order of risk.
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
    """The conclusion of a report: a label for people, and its tone: `bad`, `warn`, `plain` or `good`."""

    label: str
    tone: str


def status(report: Report) -> ReportStatus:
    """Return the conclusion of a report, from the worst that is in it."""
    counts = report.counts()
    if report.refused:
        return ReportStatus("Incomplete" if report.kind is Kind.DRIFT else "Refused", "bad")
    if counts[Action.FAILED]:
        return ReportStatus("Failed", "bad")
    if any(entry.opens for entry in report.entries):
        return ReportStatus("Unauthorised access", "bad")
    if any(entry.loses_data for entry in report.entries):
        return ReportStatus("Data would be lost" if report.kind is Kind.DIFF else "Data is lost", "bad")
    if report.kind is Kind.DRIFT and report.entries:
        return ReportStatus("Drift", "warn")
    if any(not notice.waived_by and notice.severity is not Severity.INFO for notice in report.notices):
        return ReportStatus("Warnings", "warn")
    if not report.entries:
        return ReportStatus("No drift" if report.kind is Kind.DRIFT else "Nothing changes", "good")
    return ReportStatus("Done", "good") if report.kind is Kind.RUN else ReportStatus("Changes", "plain")


def action_word(kind: Kind, action: Action) -> str:
    """Return the name of an action: ``to destroy`` in a change, ``destroyed`` in a run, ``missing`` in drift."""
    return _TO_DO.get(action, action.value) if kind is Kind.DIFF else action.value


def actions_of(report: Report) -> tuple[Action, ...]:
    """Return the actions that appear, in the order of risk."""
    counts = report.counts()
    return tuple(action for action in Action if counts[action])


def sides(kind: Kind) -> tuple[str, str]:
    """Return the names of the two sides of a property."""
    return ("expected", "found") if kind is Kind.DRIFT else ("before", "after")


def loss_title(kind: Kind) -> str:
    """Return the title of the list of data losses."""
    return {
        Kind.DIFF: "Data that will be destroyed",
        Kind.RUN: "Data that was destroyed",
        Kind.DRIFT: "Data that is missing",
    }[kind]


def tenant_name(tenant: str | None) -> str:
    """Return the name of a tenant, or of the foundation."""
    return FOUNDATION if tenant is None else tenant


def type_name(type_: str) -> str:
    """Return the last part of a type token: ``Project`` of ``gitlab:index/project:Project``."""
    return type_.rpartition(":")[2] or type_


def object_name(entry: Entry) -> str:
    """Return the name without its tenant and system, which are shown above it."""
    prefix = f"{entry.tenant or 'foundation'}/{entry.system}/"
    return entry.name.removeprefix(prefix) or entry.name


def plural(number: int, word: str) -> str:
    """Return a number with its word: ``1 object``, ``1,204 objects``."""
    return f"{number:,} {word if number == 1 else word + 's'}"


def duration(seconds: float) -> str:
    """Render seconds for people: ``0.4 s``, ``12 s``, ``3 min 05 s``."""
    if seconds < 10:  # noqa: PLR2004 - below, tenths are shown
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def total_seconds(entries: Iterable[Entry]) -> float | None:
    """Return the sum of the measured times; None if there is none."""
    measured = [entry.seconds for entry in entries if entry.seconds is not None]
    return sum(measured) if measured else None


def and_others(others: Sequence[str]) -> str:
    """Return how many other tenants have the same effect: `` and 995 others``; empty if there are none."""
    return f" and {plural(len(others), 'other')}" if others else ""
