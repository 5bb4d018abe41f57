# ruff: noqa: ANN401 - YAML has any type
"""The `artifacts:` of jobs: types of reports, checks, and what a runner gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lab.standins.gitlab import ci_variables
from lab.standins.store import Document

ARCHIVE: Final = "archive"
#: Each type of report with its format, in which a runner uploads it, and its file name (Enums::Ci::JobArtifact).
REPORTS: Final[Mapping[str, tuple[str, str]]] = {
    "junit": ("gzip", "junit.xml"),
    "dotenv": ("gzip", ".env"),
    "cobertura": ("gzip", "cobertura-coverage.xml"),
    "jacoco": ("gzip", "jacoco-coverage.xml"),
    "cyclonedx": ("gzip", "gl-sbom.cdx.json"),
    "annotations": ("gzip", "gl-annotations.json"),
    "sast": ("raw", "gl-sast-report.json"),
    "secret_detection": ("raw", "gl-secret-detection-report.json"),
    "dependency_scanning": ("raw", "gl-dependency-scanning-report.json"),
    "container_scanning": ("raw", "gl-container-scanning-report.json"),
    "dast": ("raw", "gl-dast-report.json"),
    "accessibility": ("raw", "gl-accessibility.json"),
    "codequality": ("raw", "gl-code-quality-report.json"),
    "terraform": ("raw", "tfplan.json"),
}
#: Formats of other types that a runner uploads.
_OTHERS: Final = {ARCHIVE: "zip", "metadata": "gzip"}
_KEYS: Final = frozenset(
    {"name", "untracked", "public", "paths", "reports", "when", "expire_in", "expose_as", "exclude", "access"}
)
_WHEN: Final = ("on_success", "on_failure", "always")
ACCESS: Final = ("none", "developer", "all", "maintainer")
#: GitLab has more types of reports, which nobody uses here.
_COVERAGE: Final = ("cobertura", "jacoco")


def errors(where: str, artifacts: Any) -> list[str]:
    """Return the errors in a job's `artifacts:`."""
    if artifacts is None:
        return []
    here = f"{where}:artifacts"
    if not isinstance(artifacts, dict):
        return [f"{here} config should be a hash"]
    wrong = []
    unknown = sorted(set(artifacts) - _KEYS)
    if unknown:
        wrong.append(f"{here} config contains unknown keys: {', '.join(unknown)}")
    for key in ("paths", "exclude"):
        if key in artifacts and not _texts(artifacts[key]):
            wrong.append(f"{here} {key} should be an array of strings")
    if artifacts.get("when", "always") not in _WHEN:
        wrong.append(f"{here} when should be one of: {', '.join(_WHEN)}")
    if artifacts.get("access", "all") not in ACCESS:
        wrong.append(f"{here} access should be one of: {', '.join(ACCESS)}")
    if "public" in artifacts and "access" in artifacts:
        wrong.append(f"{here} config these keys cannot be used together: public, access")
    if "expire_in" in artifacts and not isinstance(artifacts["expire_in"], str):
        wrong.append(f"{here} expire in should be a duration")
    return [*wrong, *_report_errors(f"{here}:reports", artifacts.get("reports"))]


def _report_errors(here: str, reports: Any) -> list[str]:
    if reports is None:
        return []
    if not isinstance(reports, dict):
        return [f"{here} config should be a hash"]
    wrong = []
    unknown = sorted(set(reports) - set(REPORTS) - {"coverage_report"} | {"cobertura"} & set(reports))
    if unknown:
        wrong.append(f"{here} config contains unknown keys: {', '.join(unknown)}")
    for kind, paths in reports.items():
        if kind == "coverage_report":
            if not isinstance(paths, dict) or set(paths) != {"coverage_format", "path"}:
                wrong.append(f"{here}:coverage_report config should be a hash with coverage_format and path")
            elif paths["coverage_format"] not in _COVERAGE:
                wrong.append(
                    f"{here}:coverage_report coverage format must be one of supported formats: {', '.join(_COVERAGE)}."
                )
        elif not isinstance(paths, str) and not _texts(paths):
            wrong.append(f"{here} {kind} should be an array of strings or a string")
    return wrong


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def formats() -> Mapping[str, str]:
    """Return the format of every type."""
    return {**_OTHERS, **{name: form for name, (form, _) in REPORTS.items()}}


def declared(artifacts: Any, known: Mapping[str, str]) -> list[Document] | None:
    """Return a job's `artifacts:` in the runners' protocol."""
    if not isinstance(artifacts, dict):
        return None
    found = []
    expiry = artifacts.get("expire_in")
    if artifacts.get("untracked") or artifacts.get("paths"):
        archive = {
            "name": ci_variables.expand(str(artifacts.get("name") or "artifacts"), known),
            "untracked": bool(artifacts.get("untracked")),
            "paths": [ci_variables.expand(str(path), known) for path in artifacts.get("paths") or []],
            "when": artifacts.get("when", "on_success"),
            "expire_in": expiry,
            "artifact_type": ARCHIVE,
            "artifact_format": "zip",
        }
        found.append(archive | ({"exclude": artifacts["exclude"]} if artifacts.get("exclude") else {}))
    for kind, paths in (artifacts.get("reports") or {}).items():
        type_, listed = kind, paths if isinstance(paths, list) else [paths]
        if kind == "coverage_report":
            type_, listed = paths["coverage_format"], [paths["path"]]
        form, name = REPORTS[type_]
        report = {"name": name, "paths": [str(path) for path in listed], "when": "always", "expire_in": expiry}
        report |= {"artifact_type": type_, "artifact_format": form}
        found.append({key: value for key, value in report.items() if value is not None})
    return found
