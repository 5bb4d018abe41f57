"""What the ignore rules take out of a look, and what is to be said of the rules themselves."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from model.reading.drift_ignores import IgnoreRule
from usine.drift.findings import Finding
from usine.report.model import Notice, Severity


@dataclass(frozen=True, slots=True)
class Sifted:
    """The findings that count, those a rule takes out, and notices about the rules."""

    kept: tuple[Finding, ...]
    ignored: tuple[Finding, ...]
    notices: tuple[Notice, ...]


def sift(
    findings: Iterable[Finding], rules: Sequence[IgnoreRule], today: datetime.date, *, source: str, whole: bool
) -> Sifted:
    """Apply the rules of the file `source`. An expired rule ignores nothing.

    `whole` says that everything the rules may be about was looked at: only then is a rule that met nothing unused.
    """
    kept: list[Finding] = []
    ignored: list[Finding] = []
    met: Counter[int] = Counter()
    for finding in findings:
        covering = [index for index, rule in enumerate(rules) if _covers(rule, finding)]
        met.update(covering)
        valid = any(not rules[index].expired(today) for index in covering)
        (ignored if valid else kept).append(finding)
    return Sifted(tuple(kept), tuple(ignored), tuple(_notices(rules, met, today, source, whole=whole)))


def _covers(rule: IgnoreRule, finding: Finding) -> bool:
    return rule.covers(kind=finding.kind.value, name=finding.name, type_=finding.type, path=finding.path)


def _notices(
    rules: Sequence[IgnoreRule], met: Counter[int], today: datetime.date, source: str, *, whole: bool
) -> Iterator[Notice]:
    for index, rule in enumerate(rules):
        about = " ".join(word for word in (rule.kind, rule.name, rule.type, rule.property) if word and word != "*")
        count = f"{met[index]} {'difference' if met[index] == 1 else 'differences'}"
        if rule.expired(today):
            yield Notice(
                "ignore-expired",
                Severity.WARNING,
                f"the rule about {about} was good until {rule.expires}: {count} it would ignore are reported again",
                f"{rule.owner}: put them right, or give a new date and reason; else take the rule out",
                source,
                rule.line,
                rule.column,
            )
        elif met[index]:
            yield Notice(
                "ignored",
                Severity.INFO,
                f"{count} ignored until {rule.expires} for {rule.owner}: {rule.reason}",
                "",
                source,
                rule.line,
                rule.column,
            )
        elif whole:
            yield Notice(
                "ignore-unused",
                Severity.WARNING,
                f"the rule about {about} meets nothing",
                "take it out",
                source,
                rule.line,
                rule.column,
            )
