"""The report about drift: from findings to what every form of a report takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from usine.drift.causes import Cause
from usine.drift.findings import Finding, Means, Unseen
from usine.drift.history import History, Past
from usine.drift.severity import severity
from usine.drift.values import shortened
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
    by_risk,
)

#: The rule of the notice about a part that could not be looked at.
COULD_NOT_LOOK = "could-not-look"
_MOST_GONE = 20


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about: the stack, how many objects were looked at, what was ignored and what has one cause."""

    stack: str
    objects: int
    ignored: int = 0
    causes: tuple[Cause, ...] = ()


def make_report(
    subject: Subject,
    findings: Sequence[Finding],
    unseen: Sequence[Unseen],
    history: History,
    past: Past,
    notices: Iterable[Notice] = (),
) -> Report:
    """Build the report with one entry per object. `findings` are those that count; `notices` come first."""
    entries = by_risk(_entry(members, history) for members in _by_object(findings))
    facts = [("stack", subject.stack), ("looked at", f"{history.looked_at}, {subject.objects} objects of the state")]
    if past.looked_at:
        facts.append(("the look before", past.looked_at))
        facts.append(("new since then", _count(sum(since not in past.since for since in history.since), "difference")))
    if subject.ignored:
        facts.append(("ignored by rules", _count(subject.ignored, "difference")))
    facts += [("cause", cause.text) for cause in subject.causes]
    return Report(
        Kind.DRIFT,
        f"usine drift: {subject.stack}",
        _verdict(entries, unseen),
        tuple(facts),
        entries,
        (*_blind(unseen), *notices, *_past(history, past)),
    )


def unfinished(operations: int) -> Iterator[Notice]:
    """Warn of operations that a killed run left: what they made is in no state, what they began is half done."""
    if operations:
        yield Notice(
            "run-unfinished",
            Severity.WARNING,
            f"a run was killed and left {_count(operations, 'operation')} unfinished: some of this may come from there",
            "run `usine up`, which settles them, and look again",
        )


def folded(report: Report, causes: Iterable[Cause]) -> Report:
    """Return the report with one entry for each cause, in place of those of its objects. For reading, not for data.

    An object that has more to say than its part in one cause stays, and so does one whose data is lost, or one that
    opens a way in, unless a provider's upgrade explains it.
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


def _by_object(findings: Iterable[Finding]) -> Iterator[list[Finding]]:
    grouped: dict[str, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault(finding.object_key, []).append(finding)
    yield from grouped.values()


def _entry(members: Sequence[Finding], history: History) -> Entry:
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


def _note(members: Sequence[Finding], history: History) -> str:
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
        words.append(f"by hand{f' ({paths})' if paths else ''}: {call}" if call else "by hand")
    return "; ".join(words)


def _blind(unseen: Iterable[Unseen]) -> Iterator[Notice]:
    for part in unseen:
        yield Notice(
            COULD_NOT_LOOK,
            Severity.ERROR,
            f"could not look at {part.system} for {part.tenant or FOUNDATION}: {part.why}",
            "see to the system, then look again; everything else was looked at",
            tenant=part.tenant,
        )


def _past(history: History, past: Past) -> Iterator[Notice]:
    objects = list(_by_object(history.gone))
    for members in objects[:_MOST_GONE]:
        first = members[0]
        since = min(past.since[member.key] for member in members)
        yield Notice(
            "gone",
            Severity.INFO,
            f"gone since the last look: {first.name} {first.kind.value} (was so since {since})",
            tenant=first.tenant,
        )
    if len(objects) > _MOST_GONE:
        yield Notice("gone", Severity.INFO, f"and {len(objects) - _MOST_GONE} more are gone since the last look")


def describe(finding: Finding) -> str:
    """Name a finding in a few words: ``alpha/kubernetes/dev/quota changed (spec.hard)``."""
    return f"{finding.name} {finding.kind.value}" + (f" ({finding.path})" if finding.path else "")


def _verdict(entries: Sequence[Entry], unseen: Sequence[Unseen]) -> str:
    found = [
        f"{count} {action.value}"
        for action in (Action.MISSING, Action.CHANGED, Action.UNMANAGED)
        if (count := sum(entry.action is action for entry in entries))
    ]
    if opened := sum(entry.opens for entry in entries):
        found.append(f"{opened} of them {'opens' if opened == 1 else 'open'} a way in")
    seen = ", ".join(found) if found else "nothing differs from what was declared"
    if not unseen:
        differ = "1 object differs" if len(entries) == 1 else f"{len(entries)} objects differ"
        return seen if not found else f"{differ} from what was declared: {seen}"
    systems = ", ".join(sorted({part.system for part in unseen}))
    tenants = ", ".join(sorted({part.tenant or FOUNDATION for part in unseen}))
    return f"could not tell everything: {systems} could not be looked at for {tenants}; elsewhere {seen}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
