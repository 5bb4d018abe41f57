"""Semgrep's JSON report: flaws in code. The lines that it quotes are not read: they may hold a secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from usine_ci.findings import shape
from usine_ci.findings.model import Finding, Scan, Scanner, Severity

#: For rules that do not state a severity in their metadata.
_SEVERITIES: Final = {"ERROR": Severity.HIGH, "WARNING": Severity.MEDIUM, "INFO": Severity.LOW}
_CWE: Final = re.compile(r"CWE-(\d{1,6})")


def scan(value: object, path: Path, version: str) -> Scan:
    """Return the findings of a report, and the files that Semgrep could not read."""
    report = shape.mapping(value)
    if not isinstance(report.get("results"), list) or "errors" not in report:
        raise shape.unlike("semgrep", path)
    return Scan(
        "semgrep",
        version or shape.text(report.get("version")),
        tuple(_finding(shape.mapping(result)) for result in shape.items(report["results"])),
        tuple(sorted({_gap(shape.mapping(error)) for error in shape.items(report["errors"])})),
    )


def _finding(result: shape.Object) -> Finding:
    extra = shape.mapping(result.get("extra"))
    metadata = shape.mapping(extra.get("metadata"))
    severity = shape.text(metadata.get("severity")) or shape.text(extra.get("severity"))
    return Finding(
        scanner=Scanner.CODE,
        # The id has the folders of the rule's file before it.
        rule=shape.text(result.get("check_id")).rpartition(".")[2],
        severity=_SEVERITIES.get(severity) or Severity.of(severity),
        path=shape.text(result.get("path")).removeprefix("./"),
        line=shape.number(shape.mapping(result.get("start")).get("line"), 1),
        end_line=shape.number(shape.mapping(result.get("end")).get("line"), 1),
        text=shape.text(extra.get("message")),
        fix=shape.text(metadata.get("fix")),
        cwe=tuple(int(number) for number in _CWE.findall(str(metadata.get("cwe", "")))),
    )


def _gap(error: shape.Object) -> str:
    file = shape.text(error.get("path")).removeprefix("./")
    kind = error.get("type")
    name = kind if isinstance(kind, str) else shape.text(next(iter(shape.items(kind)), ""))
    return f"{file or 'a file'}: {name or shape.text(error.get('level')) or 'error'}"
