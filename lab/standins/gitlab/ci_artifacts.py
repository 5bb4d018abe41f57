"""Artifacts of jobs: what a runner uploads, what it downloads for later jobs, and the variables of dotenv reports."""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path

from lab.standins.gitlab import ci_jobs, ci_needs
from lab.standins.gitlab.ci_artifact_types import ARCHIVE, formats
from lab.standins.gitlab.ci_variables import Variable
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.store import Document

#: Limits of dotenv reports: bytes (ApplicationSetting, plan limits of a self-managed GitLab) and variables.
_DOTENV_SIZE, _DOTENV_VARIABLES = 5 * 1024, 150


class ArtifactError(Exception):
    """A refused upload; the argument is GitLab's message."""


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
    unwanted = {need.name for need in ci_needs.of(job["config"]) or [] if not need.artifacts}
    return [
        one
        for one in ci_needs.before(job, ci_jobs.of_pipeline(site, pipeline))
        if one["name"] not in unwanted and (not chosen or one["name"] in chosen)
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
