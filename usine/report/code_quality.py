"""GitLab's `reports:codequality`: notices as findings at their lines."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Final

from usine.report.model import Notice, Report, Severity
from usine.report.values import visible

#: The path for a notice without a file, since the format requires one.
NO_FILE: Final = "Pulumi.yaml"
_SEVERITIES: Final = {Severity.ERROR: "blocker", Severity.WARNING: "minor", Severity.INFO: "info"}


def render(report: Report) -> str:
    """Render the notices as GitLab's subset of the Code Climate format: a JSON array, in the report's order.

    A waived notice is kept as ``info``, with the person who waived it. A fingerprint depends on rule, file and text,
    not on the line: GitLab then recognises a finding that only moves.
    """
    seen: Counter[str] = Counter()
    findings = []
    for notice in report.notices:
        key = _key(notice)
        seen[key] += 1
        findings.append(
            {
                "description": _description(notice),
                "check_name": visible(notice.rule),
                "fingerprint": hashlib.sha256(f"{key}\0{seen[key]}".encode()).hexdigest(),
                "severity": "info" if notice.waived_by else _SEVERITIES[notice.severity],
                "location": {"path": _path(notice), "lines": {"begin": notice.line if notice.path else 1}},
            }
        )
    return json.dumps(findings, ensure_ascii=False, indent=2) + "\n"


def _key(notice: Notice) -> str:
    return visible("\0".join((notice.rule, notice.path, notice.tenant or "", notice.text)))


def _path(notice: Notice) -> str:
    return visible(notice.path).removeprefix("./") or NO_FILE


def _description(notice: Notice) -> str:
    waived = f" (waived by {notice.waived_by})" if notice.waived_by else ""
    remedy = f": {notice.remedy}" if notice.remedy and not notice.waived_by else ""
    return visible(f"{notice.text}{waived}{remedy}")
