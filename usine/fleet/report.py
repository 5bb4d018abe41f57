"""One report for all stacks of a fleet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from model.units import tenant_of
from usine.fleet.records import Result
from usine.fleet.running import Done
from usine.report.ids import NoticeId
from usine.report.model import Entry, Kind, Notice, Report, Severity, StoredCredential, by_risk
from usine.report.words import plural


def result_of(done: Done) -> Result:
    """Return how the run of a stack ended, from its exit code and its report."""
    match done.exit_code:
        case 0:
            return Result.APPLIED
        case 4:
            return Result.PARTIAL
        case 130:
            return Result.INTERRUPTED
    refused = done.report is not None and done.report.refused
    return Result.REFUSED if refused else Result.FAILED


def why_of(done: Done) -> str:
    """Return the verdict of a job in one line."""
    return done.reason if done.report is None else done.report.verdict


def applied_entries(done: Done) -> tuple[Entry, ...]:
    """Return the objects that a run changed. The report of a refused run has what would have been done."""
    return done.report.entries if done.report is not None and done.report.kind is Kind.RUN else ()


def fleet_report(
    base: str,
    ended: Sequence[Done],
    facts: Sequence[tuple[str, str]],
    notices: Iterable[Notice] = (),
    *,
    unchanged: int,
    waiting: int,
    later: int,
) -> Report:
    """Return the report of a run of the fleet.

    `ended` are the runs of stacks, `unchanged` the number of stacks that needed none, `waiting` of those that were not
    begun, `later` of those that are held or whose wave has not begun.
    """
    results = Counter(map(result_of, ended))
    applied = bool(results[Result.APPLIED] or results[Result.PARTIAL])
    parts = [f"{number} {'failed in part' if result is Result.PARTIAL else result.value}" for result, number in
             ((result, results[result]) for result in Result) if number]  # fmt: skip
    verdict = f"{plural(len(ended), 'stack')} run" + (f": {', '.join(parts)}" if parts else "")
    verdict += f"; {unchanged} unchanged" + (f"; {waiting} not begun" if waiting else "")
    verdict += (f"; {later} held or in a later wave" if later else "") + "."
    return Report(
        Kind.RUN,
        f"usine fleet up: {base}",
        verdict,
        tuple(facts),
        by_risk(entry for done in ended for entry in applied_entries(done)),
        (*notices, *_failures(ended, applied=applied), *_of_stacks(ended, applied=applied)),
        _credentials(done.report for done in ended),
    )


def drift_report(
    base: str,
    scans: Sequence[tuple[str | None, Report]],
    facts: Sequence[tuple[str, str]],
    failed: Iterable[Done],
    more: Iterable[Notice] = (),
) -> Report:
    """Return the report of the last drift scans of all stacks, with `more` notices. `failed` gave no report."""
    entries = by_risk(entry for _, report in scans for entry in report.entries)
    notices = [_of_unit(notice, unit) for unit, report in scans for notice in report.notices]
    gaps = [_failure(done, "could not be scanned", Severity.ERROR) for done in failed]
    found = [unit for unit, report in scans if report.entries]
    verdict = f"{plural(len(entries), 'object')} of {plural(len(found), 'stack')} differ." if entries else "No drift."
    if gaps:
        verdict += f" {plural(len(gaps), 'stack')} could not be scanned."
    credentials = _credentials(report for _, report in scans)
    return Report(
        Kind.DRIFT, f"usine fleet drift: {base}", verdict, tuple(facts), entries, (*gaps, *more, *notices), credentials
    )


def _failures(ended: Iterable[Done], *, applied: bool) -> Iterator[Notice]:
    for done in ended:
        result = result_of(done)
        if result is not Result.APPLIED:
            yield _failure(done, result.words, Severity.WARNING if applied else Severity.ERROR)


def _failure(done: Done, what: str, severity: Severity) -> Notice:
    whose = "the foundation" if done.job.unit is None else done.job.unit
    return Notice(
        NoticeId.FLEET,
        severity,
        f"{whose} {what}: {why_of(done)}",
        remedy=f"see {done.job.log}, and run it again",
        tenant=tenant_of(done.job.unit),
    )


def _of_stacks(ended: Iterable[Done], *, applied: bool) -> Iterator[Notice]:
    for done in ended:
        for notice in done.report.notices if done.report else ():
            # What one stack refuses does not refuse a run that applied others.
            lower = applied and notice.refuses
            yield _of_unit(replace(notice, severity=Severity.WARNING) if lower else notice, done.job.unit)


def _of_unit(notice: Notice, unit: str | None) -> Notice:
    return notice if notice.tenant else replace(notice, tenant=tenant_of(unit))


def _credentials(reports: Iterable[Report | None]) -> tuple[StoredCredential, ...]:
    listed = [credential for report in reports if report for credential in report.credentials]
    return tuple(sorted(listed, key=lambda c: (not c.ends, c.ends, c.tenant or "", c.system, c.name)))
