"""Reports for GitLab: its security reports (schema 15.0), and Code Quality, which every edition shows."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from usine_ci.findings.model import Finding, Scan, Scanner, Severity, fingerprints, in_order, unique_id
from usine_ci.problems import Problem
from usine_ci.text import clean

#: Every GitLab from 16.0 on reads it.
VERSION: Final = "15.0.7"
_NAME: Final = 255
_SOLUTION: Final = 7000
_QUALITY: Final = {
    Severity.UNKNOWN: "info",
    Severity.LOW: "minor",
    Severity.MEDIUM: "major",
    Severity.HIGH: "critical",
    Severity.CRITICAL: "blocker",
}

Json = dict[str, object]


def _place(finding: Finding) -> Json:
    return {
        "file": clean(finding.path),
        "start_line": finding.line,
        "end_line": max(finding.end_line, finding.line),
    }


def _commit(finding: Finding) -> Json:
    return {**_place(finding), "commit": {"sha": clean(finding.commit) or "0000000"}}


def _dependency(finding: Finding) -> Json:
    package = finding.package
    return {
        "package": {"name": clean(package.name) if package else ""},
        "version": clean(package.version) if package else "",
    }


def _in_file(finding: Finding) -> Json:
    return {"file": clean(finding.path), "dependency": _dependency(finding)}


def _in_image(finding: Finding) -> Json:
    return {
        "dependency": _dependency(finding),
        "operating_system": clean(finding.package.system if finding.package else "") or "unknown",
        "image": clean(finding.image),
    }


#: Each report of GitLab: what it is about, and how it describes a place.
KINDS: Final[Mapping[str, tuple[frozenset[Scanner], Callable[[Finding], Json]]]] = {
    "secret_detection": (frozenset({Scanner.SECRET}), _commit),
    "sast": (frozenset({Scanner.CODE, Scanner.INFRASTRUCTURE}), _place),
    "dependency_scanning": (frozenset({Scanner.DEPENDENCY}), _in_file),
    "container_scanning": (frozenset({Scanner.IMAGE}), _in_image),
}


def security(kind: str, scan: Scan, findings: Iterable[Finding], now: datetime.datetime) -> Json:
    """Return the security report of one kind. Waived findings are not in it: GitLab would count them."""
    scanners, place = KINDS[kind]
    moment = now.strftime("%Y-%m-%dT%H:%M:%S")
    tool = {"id": scan.tool, "name": scan.tool.capitalize(), "version": clean(scan.version, 80) or "unknown"}
    about: Json = {
        "scanner": {**tool, "vendor": {"name": scan.tool.capitalize()}},
        "analyzer": {"id": "usine-ci", "name": "usine-ci", "version": "0", "vendor": {"name": "Usine"}},
        "type": kind,
        "start_time": moment,
        "end_time": moment,
        "status": "success",
    }
    if scan.gaps:
        about["messages"] = [{"level": "warn", "value": f"not analysed: {clean(gap)}"} for gap in scan.gaps]
    chosen = in_order(each for each in findings if each.scanner in scanners)
    report: Json = {
        "version": VERSION,
        "scan": about,
        "vulnerabilities": [_vulnerability(each, mark, scan.tool, place) for each, mark in fingerprints(chosen)],
    }
    if kind == "dependency_scanning":
        report["dependency_files"] = []  # the CycloneDX report lists what is there
    return report


def _vulnerability(finding: Finding, mark: str, tool: str, place: Callable[[Finding], Json]) -> Json:
    url = clean(finding.url)
    identifiers: list[Json] = [_identifier(finding, tool, url)]
    identifiers += [
        {
            "type": "cwe",
            "name": f"CWE-{number}",
            "value": str(number),
            "url": f"https://cwe.mitre.org/data/definitions/{number}.html",
        }
        for number in finding.cwe
    ]
    return {
        "id": unique_id(mark),
        "name": clean(finding.text, _NAME),
        "description": clean(finding.text),
        "severity": finding.severity.name.capitalize(),
        "solution": clean(finding.fix, _SOLUTION),
        "identifiers": identifiers,
        "links": [{"url": url}] if url.startswith(("https://", "http://")) else [],
        "location": place(finding),
    }


def _identifier(finding: Finding, tool: str, url: str) -> Json:
    rule = clean(finding.rule) or "unknown"
    kind = rule.partition("-")[0].lower() if rule.startswith(("CVE-", "GHSA-")) else f"{tool}_rule_id"
    identifier: Json = {"type": kind, "name": rule, "value": rule}
    return {**identifier, "url": url} if url.startswith(("https://", "http://")) else identifier


def code_quality(findings: Iterable[Finding], notices: Sequence[Problem]) -> list[Json]:
    """Return the Code Quality report, which has each finding beside its line, and the notices about waivers."""
    entries = [
        _quality(
            f"{each.rule}: {each.text}; {each.fix}", each.rule, mark, _QUALITY[each.severity], each.path, each.line
        )
        for each, mark in fingerprints(in_order(findings))
    ]
    for notice in notices:
        mark = unique_id(str(notice))
        entries.append(_quality(notice.text, "waiver", mark, "minor", notice.file, notice.line))
    return entries


def _quality(text: str, rule: str, mark: str, severity: str, path: str, line: int) -> Json:
    return {
        "description": clean(text),
        "check_name": clean(rule),
        "fingerprint": mark,
        "severity": severity,
        "location": {"path": clean(path), "lines": {"begin": max(line, 1)}},
    }


def write(path: Path, report: object) -> None:
    """Write a report as JSON."""
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
