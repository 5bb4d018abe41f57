"""Trivy's JSON report: vulnerabilities, licences and misconfigurations of a repository, vulnerabilities of an image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from usine_ci.findings import licenses, shape
from usine_ci.findings.model import Finding, Package, Scan, Scanner, Severity

_CWE: Final = re.compile(r"CWE-(\d{1,6})")
_IMAGE: Final = "container_image"


def scan(value: object, path: Path, version: str, denied: Sequence[str]) -> Scan:
    """Return the findings of a report. Of the licences, only those that the platform denies are findings."""
    report = shape.mapping(value)
    if "SchemaVersion" not in report or "ArtifactType" not in report:
        raise shape.unlike("trivy", path)
    image = shape.text(report.get("ArtifactName")) if report["ArtifactType"] == _IMAGE else ""
    found: list[Finding] = []
    for result in map(shape.mapping, shape.items(report.get("Results"))):
        found += _vulnerabilities(result, image)
        found += _licenses(result, denied)
        found += _misconfigurations(result)
    return Scan("trivy", version or shape.text(shape.mapping(report.get("Trivy")).get("Version")), tuple(found))


def _vulnerabilities(result: shape.Object, image: str) -> Iterator[Finding]:
    # The target of an image's own packages is `IMAGE (debian 12.5)`. The tag is another one in each pipeline.
    target = shape.text(result.get("Target")).removeprefix(image or "\0").strip(" ()")
    lines = _lines(result)
    for each in map(shape.mapping, shape.items(result.get("Vulnerabilities"))):
        name, version = shape.text(each.get("PkgName")), shape.text(each.get("InstalledVersion"))
        fixed = shape.text(each.get("FixedVersion"))
        title = shape.text(each.get("Title")) or shape.text(each.get("Description"))
        yield Finding(
            scanner=Scanner.IMAGE if image else Scanner.DEPENDENCY,
            rule=shape.text(each.get("VulnerabilityID")),
            severity=Severity.of(shape.text(each.get("Severity"))),
            path=shape.text(each.get("PkgPath")) or target,
            line=lines.get((name, version), 1),
            text=f"{name} {version}: {title}" if title else f"{name} {version}",
            fix=f"update {name} to {fixed}"
            if fixed
            else "no version without it is known: replace the package, or wait",
            package=Package(name, version, _system(result)),
            cwe=tuple(int(number) for number in _CWE.findall(str(each.get("CweIDs", "")))),
            url=shape.text(each.get("PrimaryURL")),
            image=image,
        )


def _lines(result: shape.Object) -> dict[tuple[str, str], int]:
    """Return where the lock file names each package."""
    lines: dict[tuple[str, str], int] = {}
    for package in map(shape.mapping, shape.items(result.get("Packages"))):
        place = shape.mapping(next(iter(shape.items(package.get("Locations"))), None))
        key = (shape.text(package.get("Name")), shape.text(package.get("Version")))
        lines.setdefault(key, shape.number(place.get("StartLine"), 1))
    return lines


def _system(result: shape.Object) -> str:
    return shape.text(result.get("Type")) or "unknown"


def _licenses(result: shape.Object, denied: Sequence[str]) -> Iterator[Finding]:
    for each in map(shape.mapping, shape.items(result.get("Licenses"))):
        name, package = shape.text(each.get("Name")), shape.text(each.get("PkgName"))
        file = shape.text(each.get("FilePath"))
        if not licenses.is_denied(name, shape.text(each.get("Category")), denied):
            continue
        yield Finding(
            scanner=Scanner.LICENSE,
            rule=name,
            severity=Severity.CRITICAL,
            path=file or shape.text(result.get("Target")),
            line=1,
            text=f"{package or 'this file'} has the licence {name}, which the platform denies",
            fix="replace the package" if package else "take the file out",
            package=Package(package, "") if package else None,
        )


def _misconfigurations(result: shape.Object) -> Iterator[Finding]:
    target = shape.text(result.get("Target"))
    for each in map(shape.mapping, shape.items(result.get("Misconfigurations"))):
        if each.get("Status", "FAIL") != "FAIL":
            continue
        cause = shape.mapping(each.get("CauseMetadata"))
        yield Finding(
            scanner=Scanner.INFRASTRUCTURE,
            rule=shape.text(each.get("ID")) or shape.text(each.get("AVDID")),
            severity=Severity.of(shape.text(each.get("Severity"))),
            path=target,
            line=shape.number(cause.get("StartLine"), 1),
            end_line=shape.number(cause.get("EndLine"), 1),
            text=shape.text(each.get("Message")) or shape.text(each.get("Title")),
            fix=shape.text(each.get("Resolution")),
            url=shape.text(each.get("PrimaryURL")),
        )
