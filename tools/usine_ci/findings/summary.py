"""The result of a scan in the job's log."""

from __future__ import annotations

from collections.abc import Iterator

from usine_ci.findings.model import Finding, Scan, in_order, reaches
from usine_ci.findings.waivers import WAIVERS_FILE, Judgement
from usine_ci.text import clean

#: Findings below the threshold are in the reports; the log has the first ones.
_SHOWN = 50


def lines(scan: Scan, judgement: Judgement, threshold: str) -> Iterator[str]:
    """Yield the lines: notices, what was waived, what is below the threshold, and last what makes the job red."""
    for notice in judgement.notices:
        yield f"{notice} [warning]"
    for gap in scan.gaps:
        yield clean(f"not analysed: {gap}")
    for finding, waiver in judgement.waived:
        yield clean(f"{_head(finding)}: waived until {waiver.until}: {waiver.reason}")
    red = in_order(each for each in judgement.open if reaches(each.severity, threshold))
    below = in_order(each for each in judgement.open if not reaches(each.severity, threshold))
    for finding in below[:_SHOWN]:
        yield _line(finding)
    if len(below) > _SHOWN:
        yield f"... and {len(below) - _SHOWN} more below the threshold, in the reports of this job"
    for finding in red:
        yield f"{_line(finding)}, or waive it in {WAIVERS_FILE}"
    yield _count(len(red), len(below), len(judgement.waived), threshold)


def _head(finding: Finding) -> str:
    return f"{finding.path}:{finding.line}: {finding.severity.word}: {finding.rule}"


def _line(finding: Finding) -> str:
    return clean(f"{_head(finding)}: {clean(finding.text, 300)}; {clean(finding.fix, 300)}")


def _count(red: int, below: int, waived: int, threshold: str) -> str:
    if threshold == "none":
        return f"{below} findings, {waived} waived; none makes the job red: quality.findings of the tenant is none"
    return f"{red} findings at {threshold} or above, {below} below, {waived} waived"
