"""What a scanner found, in one form, and GitLab's DAST report.

The scanners' own reports quote requests, and so the credentials in them. They are not artifacts.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from usine_ci.findings.model import Severity, unique_id
from usine_ci.findings.reports import VERSION
from usine_ci.text import clean


@dataclass(frozen=True, slots=True)
class Alert:
    """One flaw of an application. `parameter` is the parameter or header that it is about, if any."""

    rule: str
    severity: Severity
    name: str
    url: str
    method: str
    parameter: str = ""
    cwe: int = 0
    fix: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What stays the same from one scan to the next."""
        return (self.rule, self.name, self.method, self.url, self.parameter)

    @property
    def place(self) -> str:
        """The request, without its query, which may hold a payload."""
        return f"{self.method} {urlsplit(self.url).path or '/'}{f' ({self.parameter})' if self.parameter else ''}"


def in_order(alerts: Sequence[Alert]) -> list[Alert]:
    """Return each alert once, the worst first."""
    return sorted(set(alerts), key=lambda each: (-each.severity, each.key))


def gitlab(
    scanner: str, alerts: Sequence[Alert], addresses: Sequence[str], now: datetime.datetime
) -> dict[str, object]:
    """Return the report in the format of GitLab's security reports (schema 15.0)."""
    moment = now.strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "version": VERSION,
        "scan": {
            "scanner": {"id": scanner, "name": scanner, "version": "unknown", "vendor": {"name": scanner}},
            "analyzer": {"id": "usine-ci", "name": "usine-ci", "version": "0", "vendor": {"name": "Usine"}},
            "type": "dast",
            "start_time": moment,
            "end_time": moment,
            "status": "success",
            "scanned_resources": [{"method": "GET", "url": clean(url), "type": "url"} for url in addresses],
        },
        "vulnerabilities": [_vulnerability(scanner, each) for each in in_order(alerts)],
    }


def _vulnerability(scanner: str, alert: Alert) -> dict[str, object]:
    parts = urlsplit(alert.url)
    identifiers: list[dict[str, str]] = [
        {"type": f"{scanner}_rule", "name": clean(alert.rule, 255), "value": clean(alert.rule, 255)}
    ]
    if alert.cwe > 0:
        identifiers.append({"type": "cwe", "name": f"CWE-{alert.cwe}", "value": str(alert.cwe)})
    return {
        "id": unique_id(hashlib.sha256("\0".join(alert.key).encode()).hexdigest()),
        "name": clean(alert.name, 255),
        "description": clean(alert.name),
        "severity": alert.severity.name.capitalize(),
        "solution": clean(alert.fix, 7000),
        "identifiers": identifiers,
        "location": {
            "hostname": clean(f"{parts.scheme}://{parts.netloc}"),
            "method": clean(alert.method),
            "param": clean(alert.parameter),
            "path": clean(parts.path or "/"),
        },
    }
