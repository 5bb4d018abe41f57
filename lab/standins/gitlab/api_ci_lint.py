# ruff: noqa: ANN401 - answers are JSON
"""Whether a CI configuration is one."""

from __future__ import annotations

from typing import Any

import yaml

from lab.standins.gitlab import access, ci_config
from lab.standins.gitlab.ci_yaml import ConfigError, NoConfig, Place
from lab.standins.gitlab.params import Bool, Params, Text
from lab.standins.gitlab.repositories import repositories, repository
from lab.standins.gitlab.routing import Call, Router
from lab.standins.store import Document

router = Router("lint")


class Lint(Params):
    """A configuration to look at."""

    content: str
    dry_run: Bool = None
    include_jobs: Bool = None
    ref: Text = None


class LintOwn(Params):
    """Which of the project's configurations."""

    content_ref: Text = None
    dry_run: Bool = None
    include_jobs: Bool = None
    sha: Text = None
    ref: Text = None


def _lint(call: Call, project: Document, ref: str | None, content: str | None, *, jobs: bool) -> Any:
    repo = repository(call.site, project)
    sha = repo.resolve(ref or repositories(call.site).default_branch(project) or "HEAD")
    place = Place(call.site, call.actor, project, sha or "", {})
    errors: list[str] = []
    configuration = None
    try:
        configuration = ci_config.load(place, content)
    except NoConfig:
        errors = ["Please provide content of .gitlab-ci.yml"]
    except ConfigError as error:
        errors = error.messages
    merged = yaml.safe_dump(dict(configuration.merged), sort_keys=False) if configuration else None
    answer = {"valid": not errors, "errors": errors, "warnings": [], "merged_yaml": merged, "includes": []}
    if jobs and configuration:
        answer["jobs"] = [_linted(name, job) for name, job in configuration.jobs.items()]
    return answer


def _linted(name: str, job: Document) -> Document:
    environment = job.get("environment")
    return {
        "name": name,
        "stage": job["stage"],
        "before_script": ci_config.lines(job.get("before_script")) or [],
        "script": ci_config.lines(job.get("script")) or [],
        "after_script": ci_config.lines(job.get("after_script")) or [],
        "tag_list": job.get("tags") or [],
        "only": job.get("only", {"refs": ["branches", "tags"]} if "rules" not in job else None),
        "except": job.get("except"),
        "environment": environment.get("name") if isinstance(environment, dict) else environment,
        "when": job.get("when", "on_success"),
        "allow_failure": bool(job.get("allow_failure", False)),
        "needs": None,
    }


@router.post("/projects/{id}/ci/lint", status=200)
def lint_given(call: Call, id: str, given: Lint) -> Any:
    """Whether a text is a configuration, as if it were the project's."""
    project = call.project(id, access.DEVELOPER)
    return _lint(call, project, given.ref, given.content, jobs=bool(given.include_jobs))


@router.get("/projects/{id}/ci/lint")
def lint_own(call: Call, id: str, given: LintOwn) -> Any:
    """Whether the project's own configuration is one."""
    project = call.project(id, access.REPORTER)
    return _lint(call, project, given.content_ref or given.sha, None, jobs=bool(given.include_jobs))
