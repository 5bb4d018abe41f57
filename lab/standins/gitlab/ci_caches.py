"""The `cache:` of jobs, as a runner gets it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from lab.standins.gitlab import ci_variables
from lab.standins.gitlab.repositories import repository
from lab.standins.gitlab.site import GitLabSite
from lab.standins.store import Document


def of_job(
    site: GitLabSite, project: Document, pipeline: Document, config: Mapping[str, Any], known: Mapping[str, str]
) -> list[Document]:
    """Return a job's caches in the runners' protocol.

    Pipelines of protected refs have caches of their own (`ci_separated_caches`, GitLab's default): a branch that
    anybody may push to writes none that a protected one reads.
    """
    caches = config.get("cache") or []
    suffix = "protected" if pipeline["protected"] else "non_protected"
    return [
        {
            "key": f"{_key(site, project, pipeline, one.get('key', 'default'), known)}"
            + ("" if one.get("unprotect") else f"-{suffix}"),
            "paths": [ci_variables.expand(str(path), known) for path in one.get("paths") or []],
            "untracked": bool(one.get("untracked")),
            "policy": ci_variables.expand(str(one.get("policy") or "pull-push"), known),
            "when": one.get("when", "on_success"),
            "fallback_keys": one.get("fallback_keys") or [],
        }
        for one in (caches if isinstance(caches, list) else [caches])
    ]


def _key(site: GitLabSite, project: Document, pipeline: Document, key: Any, known: Mapping[str, str]) -> str:  # noqa: ANN401 - YAML has any type
    if not isinstance(key, dict):
        return ci_variables.expand(str(key), known).replace("/", "-")
    repo = repository(site, project)
    contents = [repo.read(pipeline["sha"], ci_variables.expand(str(path), known)) for path in key.get("files") or []]
    found = [content for content in contents if content is not None]
    digest = hashlib.sha1(b"\0".join(found), usedforsecurity=False).hexdigest() if found else "default"
    prefix = key.get("prefix")
    return f"{ci_variables.expand(str(prefix), known)}-{digest}" if prefix else digest
