"""Applies the ignore rules to the findings of a scan, and reports on the rules."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from model.reading.drift_ignores import IgnoreRule
from usine.drift.findings import DriftFinding
from usine.report.ids import NoticeId
from usine.report.model import Notice, Severity


@dataclass(frozen=True, slots=True)
class Sifted:
    """The findings that remain, those that a rule ignores, and notices about the rules."""

    kept: tuple[DriftFinding, ...]
    ignored: tuple[DriftFinding, ...]
    notices: tuple[Notice, ...]


def sift(
    findings: Iterable[DriftFinding], rules: Sequence[IgnoreRule], today: datetime.date, *, source: str, whole: bool
) -> Sifted:
    """Apply the rules of the file `source`. An expired rule ignores nothing.

    `whole`: everything was scanned. Only then a rule without a match is reported as unused.
    """
    kept: list[DriftFinding] = []
    ignored: list[DriftFinding] = []
    met: Counter[int] = Counter()
    for finding in findings:
        covering = [index for index, rule in enumerate(rules) if _covers(rule, finding)]
        met.update(covering)
        valid = any(not rules[index].expired(today) for index in covering)
        (ignored if valid else kept).append(finding)
    return Sifted(tuple(kept), tuple(ignored), tuple(_notices(rules, met, today, source, whole=whole)))


def _covers(rule: IgnoreRule, finding: DriftFinding) -> bool:
    return rule.covers(kind=finding.kind.value, name=finding.name, type_=finding.type, path=finding.path)


def _notices(
    rules: Sequence[IgnoreRule], met: Counter[int], today: datetime.date, source: str, *, whole: bool
) -> Iterator[Notice]:
    for index, rule in enumerate(rules):
        about = " ".join(word for word in (rule.kind, rule.name, rule.type, rule.property) if word and word != "*")
        count = f"{met[index]} {'difference' if met[index] == 1 else 'differences'}"
        if rule.expired(today):
            yield Notice(
                NoticeId.IGNORE_EXPIRED,
                Severity.WARNING,
                f"the rule for {about} expired on {rule.expires}: {count} that it would ignore are reported again",
                f"{rule.owner}: repair them, give a new date and reason, or remove the rule",
                source,
                rule.line,
                rule.column,
            )
        elif met[index]:
            yield Notice(
                NoticeId.IGNORED,
                Severity.INFO,
                f"{count} ignored until {rule.expires} for {rule.owner}: {rule.reason}",
                "",
                source,
                rule.line,
                rule.column,
            )
        elif whole:
            yield Notice(
                NoticeId.IGNORE_UNUSED,
                Severity.WARNING,
                f"the rule for {about} matches nothing",
                "remove it",
                source,
                rule.line,
                rule.column,
            )
