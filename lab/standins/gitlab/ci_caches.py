"""The `cache:` of jobs, as a runner gets it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from lab.standins.gitlab import access, ci_variables
from lab.standins.gitlab.repositories import repository
from lab.standins.gitlab.site import GitLabSite
from lab.standins.store import Document


def of_job(
    site: GitLabSite,
    project: Document,
    pipeline: Document,
    job: Document,
    known: Mapping[str, str],
) -> list[Document]:
    """Return a job's caches in the runners' protocol, with the suffixes of `Ci::Build#cache`."""
    caches = job["config"].get("cache") or []
    found = []
    for one in caches if isinstance(caches, list) else [caches]:
        suffix = _suffix(site, project, pipeline, job, unprotect=bool(one.get("unprotect")))
        found.append(
            {
                "key": _key(site, project, pipeline, one.get("key", "default"), known) + suffix,
                "paths": [ci_variables.expand(str(path), known) for path in one.get("paths") or []],
                "untracked": bool(one.get("untracked")),
                "policy": ci_variables.expand(str(one.get("policy") or "pull-push"), known),
                "when": one.get("when", "on_success"),
                "fallback_keys": [f"{key}{suffix}" for key in one.get("fallback_keys") or []],
            }
        )
    return found


def _suffix(site: GitLabSite, project: Document, pipeline: Document, job: Document, *, unprotect: bool) -> str:
    """Return the end of a cache's key (`ci_separated_caches`).

    Pipelines of protected refs have caches of their own. So have all pipelines of a maintainer, also those of merge
    requests and of forks: what they run can write what a protected pipeline reads.
    """
    if not project.get("ci_separated_caches", True):
        return ""
    trusted = access.user_project_level(site, job["user_id"], project) >= access.MAINTAINER
    return "-protected" if not unprotect and (trusted or pipeline["protected"]) else "-non_protected"


def _key(site: GitLabSite, project: Document, pipeline: Document, key: Any, known: Mapping[str, str]) -> str:  # noqa: ANN401 - YAML has any type
    if not isinstance(key, dict):
        return ci_variables.expand(str(key), known).replace("/", "-")
    repo = repository(site, project)
    contents = [repo.read(pipeline["sha"], ci_variables.expand(str(path), known)) for path in key.get("files") or []]
    found = [content for content in contents if content is not None]
    digest = hashlib.sha1(b"\0".join(found), usedforsecurity=False).hexdigest() if found else "default"
    prefix = key.get("prefix")
    return f"{ci_variables.expand(str(prefix), known)}-{digest}" if prefix else digest
