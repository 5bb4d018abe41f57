"""The report of a run: what was or would be done for each tenant and system, how long it took, what failed and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from model.texts import enumerate_words
from pulumi_facts.data_bearing import holds_data
from pulumi_facts.urns import Address, address_of
from usine.engine.events import Step
from usine.engine.guarded import Outcome, Status
from usine.engine.stored import credential_facts
from usine.report.ids import NoticeId
from usine.report.model import FOUNDATION, Action, Entry, Kind, Notice, Report, Severity, by_risk
from usine.report.words import plural

_SHOWN_TENANTS = 5

_ACTIONS = {
    "create": Action.CREATED,
    "import": Action.CREATED,
    "update": Action.CHANGED,
    "replace": Action.REPLACED,
    "delete": Action.DESTROYED,
    "discard": Action.DESTROYED,
}


def run_report(
    outcome: Outcome, title: str, facts: Sequence[tuple[str, str]] = (), notices: Sequence[Notice] = ()
) -> Report:
    """Make the report of a run or a preview.

    `facts` and `notices` come before the run's own. The report of an `up` lists what was done and what failed; the
    report of a preview or of a refused run lists what would be done.
    """
    entries = _done(outcome) if outcome.applying else _planned(outcome)
    unchanged = sum(outcome.events.same.values())
    own = [("unchanged objects", str(unchanged))] if unchanged else []
    if outcome.events.seconds:
        own.append(("engine's time", f"{outcome.events.seconds} s"))
    report = Report(
        kind=Kind.RUN if outcome.applying else Kind.DIFF,
        title=title,
        verdict="",
        facts=(*facts, *own, *credential_facts(outcome.credentials)),
        entries=by_risk(entries),
        notices=(*notices, *outcome.notices, *_pending_people(outcome)),
        credentials=outcome.credentials,
    )
    return replace(report, verdict=_verdict(outcome, report))


def _pending_people(outcome: Outcome) -> Iterable[Notice]:
    """Yield a notice for each system in which people have no account yet. It is not an error and refuses nothing."""
    return (Notice(NoticeId.PENDING_PEOPLE, Severity.INFO, text) for text in outcome.events.pending)


def tenants_failed(report: Report) -> tuple[str, ...]:
    """Return the tenants with a failure, sorted; ``(foundation)`` stands for what all tenants share."""
    return tuple(sorted({e.tenant or FOUNDATION for e in report.entries if e.action is Action.FAILED}))


def systems_failed(report: Report) -> tuple[str, ...]:
    """Return the systems with a failure, sorted."""
    return tuple(sorted({e.system for e in report.entries if e.action is Action.FAILED}))


def _planned(outcome: Outcome) -> Iterable[Entry]:
    why = {f.address.urn: f.message for f in outcome.failures if f.address is not None and f.address.is_object}
    for step in outcome.events.changes:
        yield _entry(step) if step.address.urn not in why else _failed(step.address, why.pop(step.address.urn))
    for urn, message in why.items():
        yield _failed(address_of(urn), message)


def _done(outcome: Outcome) -> Iterable[Entry]:
    why = {f.address.urn: f.message for f in outcome.failures if f.address is not None and f.address.is_object}
    begun = {step.address.urn for step in outcome.events.changes}
    for step in outcome.events.changes:
        if step.address.urn in why:
            yield _failed(step.address, why.pop(step.address.urn), step.seconds)
        elif step.done:
            yield replace(_entry(step), seconds=step.seconds)
        else:
            yield _failed(step.address, "begun, but not finished")
    for urn, message in why.items():
        yield _failed(address_of(urn), message)
        begun.add(urn)
    if outcome.status is Status.APPLIED or outcome.plan is None or not outcome.events.steps:
        return
    for _, urn in outcome.plan.steps:
        address = address_of(urn)
        if urn not in begun and address.is_object:
            yield _failed(address, "not begun: what it needs failed, or the run was stopped")


def _entry(step: Step) -> Entry:
    address = step.address
    return Entry(
        action=_ACTIONS.get(step.op, Action.CHANGED),
        tenant=address.tenant,
        system=address.system,
        type=address.type,
        name=address.name,
        properties=step.properties,
        holds_data=holds_data(address.type, address.name),
    )


def _failed(address: Address, message: str, seconds: float | None = None) -> Entry:
    return Entry(
        action=Action.FAILED,
        tenant=address.tenant,
        system=address.system,
        type=address.type,
        name=address.name,
        holds_data=holds_data(address.type, address.name),
        seconds=seconds,
        note=message,
    )


def _verdict(outcome: Outcome, report: Report) -> str:
    counts = report.counts()
    changes = sum(number for action, number in counts.items() if action is not Action.FAILED)
    many = plural(changes, "change")
    if outcome.status is Status.REFUSED:
        reasons = sum(1 for notice in report.notices if notice.refuses)
        return f"Refused, nothing was touched: {plural(reasons, 'reason')}."
    if outcome.status is Status.PLANNED:
        return f"{many} would be made." if changes else "Nothing would change."
    if outcome.status is Status.APPLIED:
        return f"{many} applied." if changes else "No changes."
    if not counts[Action.FAILED]:
        why = outcome.failures[0].message if outcome.failures else "the engine's output has the reason"
        return f"Failed{'' if outcome.applying else ', nothing was touched'}: {why}"
    where = f"{', '.join(systems_failed(report))} failed for: {enumerate_words(tenants_failed(report), _SHOWN_TENANTS)}"
    if not outcome.applying:
        return f"{where}; nothing was touched."
    done = f"{many} applied, " if changes else ""
    return f"{done}{plural(counts[Action.FAILED], 'object')} failed or not reached: {where}."
