"""Gitleaks' JSON report: secrets in commits. `Secret`, `Match` and `Message` are not read: they may show it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from usine_ci.findings import shape
from usine_ci.findings.model import Finding, Scan, Scanner, Severity

#: A commit that has a secret keeps it, also when a later commit takes it out.
_FIX: Final = (
    "revoke the secret where it is from; then take it out of the commits (git rebase) before the merge, because every "
    "clone has them"
)


def scan(value: object, path: Path, version: str) -> Scan:
    """Return the findings of a report. Each is critical: everyone who reads the repository has the secret."""
    if not isinstance(value, list) or not all(isinstance(leak, dict) and "RuleID" in leak for leak in value):
        raise shape.unlike("gitleaks", path)
    return Scan("gitleaks", version, tuple(_finding(shape.mapping(leak)) for leak in value))


def _finding(leak: shape.Object) -> Finding:
    commit = shape.text(leak.get("Commit"))
    rule = shape.text(leak.get("RuleID"))
    return Finding(
        scanner=Scanner.SECRET,
        rule=rule,
        severity=Severity.CRITICAL,
        path=shape.text(leak.get("File")),
        line=shape.number(leak.get("StartLine"), 1),
        end_line=shape.number(leak.get("EndLine"), 1),
        text=f"a secret of the kind {rule}" + (f" in commit {commit[:12]}" if commit else ""),
        fix=_FIX,
        cwe=(798,),
        commit=commit,
    )
