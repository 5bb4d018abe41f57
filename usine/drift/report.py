"""The report of a drift scan, made from its findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from usine.drift.causes import Cause
from usine.drift.findings import DriftFinding, Means, Unseen
from usine.drift.history import History, Past
from usine.drift.severity import severity
from usine.drift.values import shortened
from usine.engine.stored import credential_facts
from usine.report.ids import NoticeId
from usine.report.model import (
    FOUNDATION,
    Action,
    Entry,
    EntrySeverity,
    Kind,
    Notice,
    PropertyChange,
    Report,
    Severity,
    StoredCredential,
    by_risk,
)

_MOST_GONE = 20


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a report: the stack, and the numbers of scanned objects and ignored findings; and the causes.

    `credentials` are those that the state stores.
    """

    stack: str
    objects: int
    ignored: int = 0
    causes: tuple[Cause, ...] = ()
    credentials: tuple[StoredCredential, ...] = ()


def make_report(
    subject: Subject,
    findings: Sequence[DriftFinding],
    unseen: Sequence[Unseen],
    history: History,
    past: Past,
    notices: Iterable[Notice] = (),
) -> Report:
    """Return the report with one entry per object. `findings` are those that no rule ignores."""
    entries = by_risk(_entry(members, history) for members in _by_object(findings))
    facts = [("stack", subject.stack), ("scanned", f"{history.looked_at}, {subject.objects} objects of the state")]
    if past.looked_at:
        facts.append(("previous scan", past.looked_at))
        facts.append(("new since then", _count(sum(since not in past.since for since in history.since), "difference")))
    if subject.ignored:
        facts.append(("ignored by rules", _count(subject.ignored, "difference")))
    facts += [("cause", cause.text) for cause in subject.causes]
    facts += credential_facts(subject.credentials)
    return Report(
        Kind.DRIFT,
        f"usine drift: {subject.stack}",
        _verdict(entries, unseen),
        tuple(facts),
        entries,
        (*_blind(unseen), *notices, *_past(history, past)),
        subject.credentials,
    )


def unfinished(operations: int) -> Iterator[Notice]:
    """Warn of unfinished operations of an interrupted run: their objects look like drift."""
    if operations:
        yield Notice(
            NoticeId.RUN_UNFINISHED,
            Severity.WARNING,
            f"an interrupted run left {_count(operations, 'operation')} unfinished: some findings may come from it",
            "run `usine up`, which recovers them, and scan again",
        )


def folded(report: Report, causes: Iterable[Cause]) -> Report:
    """Return the report with one entry for each cause instead of its objects. For people, not for machines.

    An object keeps its entry if it has other findings too, if data is lost, or if it gives access and no provider
    upgrade explains that.
    """
    entries = list(report.entries)
    for cause in causes:
        paths: dict[tuple[Action, str, str], set[str]] = {}
        for finding in cause.findings:
            paths.setdefault((finding.kind, finding.type, finding.name), set()).add(finding.path)
        within = [
            entry
            for entry in entries
            if {change.path for change in entry.properties} <= paths.get((entry.action, entry.type, entry.name), set())
            and not (entry.loses_data or (entry.opens and not cause.upgrade))
            and (entry.action, entry.type, entry.name) in paths
        ]
        if len(within) > 1:
            entries = [entry for entry in entries if entry not in within]
            entries.append(_one_line(cause, within))
    return replace(report, entries=by_risk(entries))


def _one_line(cause: Cause, entries: Sequence[Entry]) -> Entry:
    example = entries[0]
    return Entry(
        example.action,
        None,
        example.system,
        example.type,
        f"{len(entries)} objects",
        example.properties[:1],
        note=cause.text,
        severity=example.severity,
    )


def _by_object(findings: Iterable[DriftFinding]) -> Iterator[list[DriftFinding]]:
    grouped: dict[str, list[DriftFinding]] = {}
    for finding in findings:
        grouped.setdefault(finding.object_key, []).append(finding)
    yield from grouped.values()


def _entry(members: Sequence[DriftFinding], history: History) -> Entry:
    first = members[0]
    return Entry(
        first.kind,
        first.tenant,
        first.system,
        first.type,
        first.name,
        tuple(PropertyChange(m.path, shortened(m.expected), shortened(m.found)) for m in members if m.path),
        holds_data=first.holds_data,
        note=_note(members, history),
        severity=min(map(severity, members), key=list(EntrySeverity).index),
    )


def _note(members: Sequence[DriftFinding], history: History) -> str:
    since = min(history.since[member.key] for member in members)
    words = [members[0].detail] if members[0].detail else []
    words.append(f"since {since}")
    if by := sorted({member.by for member in members if member.by}):
        words.append(f"by {' and '.join(by)}")
    by_hand = [member for member in members if member.means is Means.HAND]
    if len(by_hand) < len(members):
        words.append(f"--repair {members[0].object_key}")
    for call in dict.fromkeys(member.call for member in by_hand):
        paths = ", ".join(member.path for member in by_hand if member.path and member.call == call)
        words.append(f"manually{f' ({paths})' if paths else ''}: {call}" if call else "manually")
    return "; ".join(words)


def _blind(unseen: Iterable[Unseen]) -> Iterator[Notice]:
    for part in unseen:
        yield Notice(
            NoticeId.COULD_NOT_LOOK,
            Severity.ERROR,
            f"could not scan {part.system} for {part.tenant or FOUNDATION}: {part.why}",
            "check the system, then scan again; everything else was scanned",
            tenant=part.tenant,
        )


def _past(history: History, past: Past) -> Iterator[Notice]:
    objects = list(_by_object(history.gone))
    for members in objects[:_MOST_GONE]:
        first = members[0]
        since = min(past.since[member.key] for member in members)
        yield Notice(
            NoticeId.GONE,
            Severity.INFO,
            f"gone since the previous scan: {first.name} {first.kind.value} (first seen {since})",
            tenant=first.tenant,
        )
    if len(objects) > _MOST_GONE:
        yield Notice(
            NoticeId.GONE, Severity.INFO, f"and {len(objects) - _MOST_GONE} more are gone since the previous scan"
        )


def describe(finding: DriftFinding) -> str:
    """Name a finding in a few words: ``alpha/kubernetes/dev/quota changed (spec.hard)``."""
    return f"{finding.name} {finding.kind.value}" + (f" ({finding.path})" if finding.path else "")


def _verdict(entries: Sequence[Entry], unseen: Sequence[Unseen]) -> str:
    found = [
        f"{count} {action.value}"
        for action in (Action.MISSING, Action.CHANGED, Action.UNMANAGED)
        if (count := sum(entry.action is action for entry in entries))
    ]
    if opened := sum(entry.opens for entry in entries):
        found.append(f"{opened} of them {'gives' if opened == 1 else 'give'} access")
    seen = ", ".join(found) if found else "nothing differs from the stack's state"
    if not unseen:
        differ = "1 object differs" if len(entries) == 1 else f"{len(entries)} objects differ"
        return seen if not found else f"{differ} from the stack's state: {seen}"
    systems = ", ".join(sorted({part.system for part in unseen}))
    tenants = ", ".join(sorted({part.tenant or FOUNDATION for part in unseen}))
    return f"incomplete: {systems} could not be scanned for {tenants}; elsewhere {seen}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
