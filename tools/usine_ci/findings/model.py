"""A finding, in one form for all scanners.

Its texts come from a tool's report and so from a repository. The parsers never take the code that a tool quotes, which
may hold a secret. Code that shows a text uses `usine_ci.text.clean`.
"""

from __future__ import annotations

import enum
import hashlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final


class Severity(enum.IntEnum):
    """How bad a finding is. UNKNOWN is what nobody has rated; it counts like LOW."""

    UNKNOWN = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5

    @property
    def word(self) -> str:
        """The word in messages and files."""
        return self.name.lower()

    @classmethod
    def of(cls, text: str) -> Severity:
        """Return the severity of a tool's word."""
        return cls.__members__.get(text.upper(), cls.UNKNOWN)


#: The values of a threshold, as the tenant file has them.
THRESHOLDS: Final = ("none", *(severity.word for severity in Severity if severity is not Severity.UNKNOWN))


def reaches(severity: Severity, threshold: str) -> bool:
    """Return whether a finding makes the job red."""
    return threshold != "none" and max(severity, Severity.LOW) >= Severity.of(threshold)


class Scanner(enum.StrEnum):
    """What was looked for. A waiver names it."""

    SECRET = "secret"  # noqa: S105 - a word of the waivers file
    CODE = "code"
    DEPENDENCY = "dependency"
    LICENSE = "license"
    IMAGE = "image"
    INFRASTRUCTURE = "infrastructure"


@dataclass(frozen=True, slots=True)
class Package:
    """What a vulnerability or a licence is of. `system` is its distribution or language."""

    name: str
    version: str
    system: str = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    `rule` is the scanner's rule, the vulnerability or the licence. `path` is relative to the repository, in an image to
    its root; `line` is 1 where the scanner knows none. `fix` says what to do. `cwe` are numbers. `commit` is where a
    secret was found, which may be an older one than the present.
    """

    scanner: Scanner
    rule: str
    severity: Severity
    path: str
    line: int
    text: str
    fix: str
    end_line: int = 0
    package: Package | None = None
    cwe: tuple[int, ...] = ()
    url: str = ""
    commit: str = ""
    image: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What stays the same when lines are added above it."""
        package = (self.package.name, self.package.version) if self.package else ()
        return (self.scanner.value, self.rule, self.path, self.commit, *package)


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of one run of a tool. `gaps` are files or parts that it could not read."""

    tool: str
    version: str
    findings: tuple[Finding, ...]
    gaps: tuple[str, ...] = field(default=())


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return each finding once, the worst first."""
    return sorted(set(findings), key=lambda each: (-each.severity, each.path, each.line, each.key))


def fingerprints(findings: Iterable[Finding]) -> Iterator[tuple[Finding, str]]:
    """Yield each finding with an id that stays the same from one scan to the next."""
    seen: dict[tuple[str, ...], int] = {}
    for finding in findings:
        seen[finding.key] = seen.get(finding.key, 0) + 1
        yield finding, hashlib.sha256("\0".join((*finding.key, str(seen[finding.key]))).encode()).hexdigest()


def unique_id(fingerprint: str) -> str:
    """Return a fingerprint as the UUID that GitLab recommends."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, fingerprint))
