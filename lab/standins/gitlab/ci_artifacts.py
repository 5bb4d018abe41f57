"""Artifacts of jobs: what a runner uploads, what it downloads for later jobs, and the variables of dotenv reports."""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lab.standins.gitlab import ci_jobs, ci_needs, ci_variables
from lab.standins.gitlab.ci_variables import Variable
from lab.standins.gitlab.site import GitLabSite, now
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
#: Limits of dotenv reports: bytes (ApplicationSetting, plan limits of a self-managed GitLab) and variables.
_DOTENV_SIZE, _DOTENV_VARIABLES = 5 * 1024, 150


class ArtifactError(Exception):
    """A refused upload; the argument is GitLab's message."""


def formats() -> Mapping[str, str]:
    """Return the format of every type."""
    return {**_OTHERS, **{name: form for name, (form, _) in REPORTS.items()}}


def declared(artifacts: Any, known: Mapping[str, str]) -> list[Document] | None:  # noqa: ANN401 - YAML has any type
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


# Files ----------------------------------------------------------------------------------------------------------------


def path_of(site: GitLabSite, artifact: Document) -> Path:
    """Return the file of an artifact."""
    return site.data / "artifacts" / str(artifact["job_id"]) / str(artifact["file_type"])


def of_job(site: GitLabSite, job_id: int) -> list[Document]:
    """Return the artifacts of a job."""
    return site.store.find("artifact", job_id=job_id)


def archive_of(site: GitLabSite, job: Document) -> Document | None:
    """Return the archive of a job's files."""
    return site.store.first("artifact", job_id=job["id"], file_type=ARCHIVE)


def add(site: GitLabSite, job: Document, content: bytes, given: Mapping[str, str]) -> None:
    """Store an upload. Raises ArtifactError."""
    type_ = given.get("artifact_type") or ARCHIVE
    form = given.get("artifact_format") or "zip"
    if type_ not in formats():
        raise ArtifactError("artifact_type does not have a valid value")
    if formats()[type_] != form:
        raise ArtifactError("Validation failed: File format Invalid file format with specified file type")
    existing = site.store.first("artifact", job_id=job["id"], file_type=type_)
    sha = hashlib.sha256(content).hexdigest()
    if existing is not None:
        if existing["sha256"] == sha:
            return
        raise ArtifactError("another artifact of the same type already exists")
    parsed = _dotenv(content) if type_ == "dotenv" else {}
    access = (job["config"].get("artifacts") or {}).get("access") or "all"
    document = {"job_id": job["id"], "project_id": job["project_id"], "pipeline_id": job["pipeline_id"], "sha256": sha}
    document |= {"file_type": type_, "file_format": form, "filename": given.get("name") or "artifacts.zip"}
    document |= {"size": len(content), "access": access, "expire_in": given.get("expire_in"), "created_at": now()}
    made = site.store.add("artifact", {**document, "variables": parsed})
    file = path_of(site, made)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_bytes(content)


def remove(site: GitLabSite, job_id: int) -> None:
    """Delete all artifacts of a job."""
    for one in of_job(site, job_id):
        site.store.remove("artifact", one["id"])
    shutil.rmtree(site.data / "artifacts" / str(job_id), ignore_errors=True)


def unzipped(content: bytes) -> bytes:
    """Return the text of a report in gzip format. Raises ArtifactError."""
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        raise ArtifactError("not in gzip format") from None


def _dotenv(content: bytes) -> dict[str, str]:
    """Return the variables of a dotenv report, as Ci::ParseDotenvArtifactService reads it. Raises ArtifactError."""
    if len(content) >= _DOTENV_SIZE:
        raise ArtifactError(f"Dotenv Artifact Too Big. Maximum Allowable Size: {_DOTENV_SIZE}")
    found = {}
    for line in unzipped(content).decode("utf-8", "replace").removeprefix("\ufeff").splitlines():
        key, equals, value = line.partition("=")
        if not equals:
            raise ArtifactError("Invalid Format")
        if not re.fullmatch(r"[a-zA-Z0-9_]+", key.strip()):
            raise ArtifactError("Validation failed: Key can contain only letters, digits and '_'.")
        found[key.strip()] = value.strip()
    if len(found) > _DOTENV_VARIABLES:
        raise ArtifactError(f"Dotenv files cannot have more than {_DOTENV_VARIABLES} variables")
    return found


# Later jobs -----------------------------------------------------------------------------------------------------------


def sources(site: GitLabSite, job: Document) -> list[Document]:
    """Return the jobs whose artifacts a job gets: those of `needs`, or of earlier stages, within `dependencies`."""
    chosen = job["config"].get("dependencies")
    if chosen == []:
        return []
    pipeline = site.store.get("pipeline", job["pipeline_id"]) or {"id": job["pipeline_id"]}
    needs = ci_needs.of(job["config"])
    names = None if needs is None else {need.name for need in needs if need.artifacts}
    return [
        one
        for one in ci_jobs.of_pipeline(site, pipeline)
        if (one["stage_index"] < job["stage_index"] if names is None else one["name"] in names)
        and (not chosen or one["name"] in chosen)
    ]


def dependencies(site: GitLabSite, job: Document, token: str) -> list[Document]:
    """Return the `dependencies` of a job in the runners' protocol."""
    found = []
    for one in sources(site, job):
        archive = archive_of(site, one)
        if archive is not None:
            file = {"filename": archive["filename"], "size": archive["size"]}
            found.append({"id": one["id"], "name": one["name"], "token": token, "artifacts_file": file})
    return found


def variables(site: GitLabSite, job: Document) -> list[Variable]:
    """Return the variables that the dotenv reports of a job's sources define."""
    return [
        Variable(key, value, public=False)
        for one in sources(site, job)
        for artifact in site.store.find("artifact", job_id=one["id"], file_type="dotenv")
        for key, value in artifact["variables"].items()
    ]
