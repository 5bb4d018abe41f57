# ruff: noqa: ANN401 - YAML has any type
"""Creates pipelines from a project's CI configuration, for a push, a merge request, a schedule or an API call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from lab.standins.gitlab import (
    access,
    ci_artifacts,
    ci_config,
    ci_environments,
    ci_jobs,
    ci_needs,
    ci_rules,
    ci_variables,
    git_push,
)
from lab.standins.gitlab.actors import Actor
from lab.standins.gitlab.ci_config import CiConfiguration
from lab.standins.gitlab.ci_yaml import ConfigError, FileLocation, NoConfig
from lab.standins.gitlab.git import ZERO
from lab.standins.gitlab.git_push import HEADS, TAGS
from lab.standins.gitlab.repositories import Update, last, listeners, repository
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.store import Document

FILTERED: Final = "Pipeline filtered out by workflow rules."
NO_JOBS: Final = (
    "Pipeline will not run for the selected trigger. "
    "The rules configuration prevented any jobs from being added to the pipeline."
)
_SKIP: Final = re.compile(r"\[(ci[ _-]skip|skip[ _-]ci)\]", re.IGNORECASE)
_UNITS: Final = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


class NoPipelineError(Exception):
    """No pipeline was created; the argument is GitLab's message."""


@dataclass(frozen=True, slots=True)
class PipelineRequest:
    """A pipeline to create: of `ref` (full) at `sha`, from `source`, by `actor`.

    `parent` is the parent pipeline, `config` the configuration of a child. With `keep_errors`, an invalid configuration
    creates a failed pipeline, otherwise none. `variables` are documents with `key`, `value`, `variable_type`.
    """

    source: str
    ref: str
    sha: str
    actor: Actor
    before: str = ZERO
    variables: Sequence[Mapping[str, Any]] = ()
    keep_errors: bool = True
    heed_skip: bool = True
    merge_request: Document | None = None
    schedule: Document | None = None
    trigger_id: int | None = None
    parent: Document | None = None
    config: str | None = None
    skip: bool = field(default=False)


def acting(user: Document) -> Actor:
    """Return the actor for a user who runs a pipeline."""
    return Actor("personal", frozenset({"api"}), user)


def create(site: GitLabSite, project: Document, wanted: PipelineRequest) -> Document:
    """Create a pipeline and start its first jobs. Raises NoPipelineError if nothing runs."""
    user = wanted.actor.user
    if user is None:
        raise NoPipelineError("Insufficient permissions to create a new pipeline")
    _check_allowed(site, project, wanted)
    pipeline = _pipeline(site, project, wanted, user)
    settings = ci_variables.of_settings(site, project, protected=pipeline["protected"], environment=None)
    known = [*ci_variables.of_pipeline(site, project, pipeline), *settings, *ci_variables.given(site, pipeline)]
    changed = _changed(site, project, pipeline)
    variables = ci_variables.values(known)
    place = FileLocation(site, wanted.actor, project, wanted.sha, variables, changed, parent=wanted.parent)
    commit = last(repository(site, project), wanted.sha)
    skips = wanted.skip or (wanted.heed_skip and commit is not None and _SKIP.search(commit.message) is not None)
    try:
        configuration = ci_config.load(place, wanted.config)
        jobs, name = ([], None) if skips else selected(site, project, pipeline, configuration, place.files)
    except NoConfig:
        raise NoPipelineError("Missing CI config file") from None
    except ConfigError as error:
        if not wanted.keep_errors:
            raise NoPipelineError(*error.messages) from None
        return _failed(site, project, pipeline, error)
    pipeline |= _config_names(site, project, pipeline, configuration)
    if skips:
        return _add(site, project, {**pipeline, "status": "skipped", "finished_at": now()})
    made = _add(site, project, {**pipeline, "name": name})
    for job in jobs:
        _add_job(site, project, made, job)
    return ci_jobs.advance(site, made["id"])


def _check_allowed(site: GitLabSite, project: Document, wanted: PipelineRequest) -> None:
    level = access.project_level(site, wanted.actor, project)
    if project.get("builds_access_level") == "disabled" or project.get("archived"):
        raise NoPipelineError("Pipelines are disabled!")
    if level < access.DEVELOPER or project.get("marked_for_deletion_on"):
        raise NoPipelineError("Insufficient permissions to create a new pipeline")
    # A parent's variables were checked at its creation.
    if wanted.variables and wanted.parent is None and not may_set_variables(site, wanted.actor, project):
        raise NoPipelineError("Insufficient permissions to set pipeline variables")
    name = wanted.ref.split("/", 2)[-1]
    if wanted.merge_request is not None:
        name = wanted.merge_request["source_branch"]
        forked = wanted.merge_request["source_project_id"] != wanted.merge_request["target_project_id"]
        may = forked or _may_write(site, wanted.actor, project, name)
    elif wanted.ref.startswith(TAGS):
        may = git_push.can_tag(site, wanted.actor, project, name)
    else:
        may = _may_write(site, wanted.actor, project, name)
    if not may:
        raise NoPipelineError(
            f"You do not have sufficient permission to run a pipeline on '{name}'. "
            "Please select a different branch or contact your administrator for assistance."
        )


def may_set_variables(site: GitLabSite, actor: Actor, project: Document) -> bool:
    """Whether the caller may set variables of a pipeline. Only memberships count, not an administrator's rights."""
    least = project.get("ci_pipeline_variables_minimum_override_role") or "developer"
    if least == "developer":  # no restriction
        return True
    levels = {"maintainer": access.MAINTAINER, "owner": access.OWNER}
    return (
        actor.user is not None
        and least in levels
        and access.user_project_level(site, actor.user["id"], project) >= levels[least]
    )


def _may_write(site: GitLabSite, actor: Actor, project: Document, branch: str) -> bool:
    return git_push.can_push(site, actor, project, branch) or git_push.can_merge(site, actor, project, branch)


def _pipeline(site: GitLabSite, project: Document, wanted: PipelineRequest, user: Document) -> Document:
    request, tag = wanted.merge_request, wanted.ref.startswith(TAGS)
    moment = now()
    return {
        "project_id": project["id"],
        "source_project_id": request["source_project_id"] if request else project["id"],
        "sha": wanted.sha,
        "before_sha": wanted.before,
        "ref": request["source_branch"] if request else wanted.ref.split("/", 2)[-1],
        "git_ref": wanted.ref,
        "tag": tag,
        "source": wanted.source,
        "status": "created",
        "yaml_errors": None,
        "protected": _is_protected(site, project, wanted),
        "user_id": user["id"],
        "merge_request_id": request["id"] if request else None,
        "schedule_id": wanted.schedule["id"] if wanted.schedule else None,
        "schedule_description": wanted.schedule.get("description") if wanted.schedule else None,
        "variables": [
            {
                "key": str(one["key"]),
                "sealed": site.seal(str(one["value"])),
                "variable_type": one.get("variable_type") or "env_var",
                "raw": bool(one.get("raw")),
            }
            for one in wanted.variables
        ],
        "name": None,
        "config_ref_uri": None,
        "config_sha": None,
        "trigger_id": wanted.trigger_id,
        "child_depth": wanted.parent.get("child_depth", 0) + 1 if wanted.parent else 0,
        "created_at": moment,
        "updated_at": moment,
        "started_at": None,
        "finished_at": None,
    }


def _is_protected(site: GitLabSite, project: Document, wanted: PipelineRequest) -> bool:
    """Whether the pipeline is protected.

    For a merge request, both branches must be protected and in one project, and the user must have write access to
    both.
    """
    request = wanted.merge_request
    if request is None:
        return git_push.ref_protected(site, project, wanted.ref)
    if not project.get("protect_merge_request_pipelines", True) or request["source_project_id"] != project["id"]:
        return False
    return all(
        git_push.ref_protected(site, project, HEADS + branch) and _may_write(site, wanted.actor, project, branch)
        for branch in (request["source_branch"], request["target_branch"])
    )


def _config_names(site: GitLabSite, project: Document, pipeline: Document, configuration: CiConfiguration) -> Document:
    if "@" in configuration.path:  # defined in another project: GitLab then adds no claim
        return {}
    kind = "tags" if pipeline["tag"] else "heads"
    uri = f"{urlsplit(site.url).netloc}/{project['full_path']}//{configuration.path}@refs/{kind}/{pipeline['ref']}"
    return {"config_ref_uri": uri, "config_sha": pipeline["sha"]}


def _failed(site: GitLabSite, project: Document, pipeline: Document, error: ConfigError) -> Document:
    found = ", ".join(error.messages)
    return _add(site, project, {**pipeline, "status": "failed", "yaml_errors": found, "finished_at": now()})


def _add(site: GitLabSite, project: Document, pipeline: Document) -> Document:
    before = site.store.find("pipeline", project_id=project["id"])
    made = site.store.add("pipeline", {**pipeline, "iid": max((one["iid"] for one in before), default=0) + 1})
    repository(site, project).update(f"refs/pipelines/{made['id']}", made["sha"])  # runners fetch this ref
    return made


# Jobs -----------------------------------------------------------------------------------------------------------------


def _changed(site: GitLabSite, project: Document, pipeline: Document) -> list[str] | None:
    """Return the paths that a merge request, or a push to a known branch, changes; None for other pipelines."""
    request = site.store.get("merge_request", pipeline["merge_request_id"] or 0)
    if request is not None:
        target = site.store.get("project", request["target_project_id"]) or project
        repo = repository(site, target)
        head = repo.ref(HEADS + request["target_branch"])
        base = repo.merge_base(head, pipeline["sha"]) if head else None
    elif pipeline["source"] == "push" and not pipeline["tag"] and pipeline["before_sha"] != ZERO:
        repo, base = repository(site, project), pipeline["before_sha"]
    else:
        return None
    return repo.changed(base, pipeline["sha"]) if base else None


def selected(
    site: GitLabSite, project: Document, pipeline: Document, configuration: CiConfiguration, files: ci_rules.Files
) -> tuple[list[Document], str | None]:
    """Return the jobs of the pipeline, in order, and its name.

    Raises NoPipelineError if there are none, ConfigError if one needs a job that is not among them.
    """
    situation = ci_rules.RuleContext(pipeline["source"], pipeline["ref"], pipeline["tag"])
    settings = ci_variables.of_settings(site, project, protected=pipeline["protected"], environment=None)
    above = [*settings, *ci_variables.given(site, pipeline)]
    predefined = ci_variables.of_pipeline(site, project, pipeline)
    shared = dict(configuration.variables)

    def known(job: Mapping[str, Any]) -> dict[str, str]:
        return ci_variables.values([*predefined, *ci_variables.of_yaml({**shared, **job}), *above])

    if "rules" in configuration.workflow:
        found = ci_rules.first(configuration.workflow["rules"], known({}), files)
        if found is None:
            raise NoPipelineError(FILTERED)
        shared |= found.variables or {}
    jobs = []
    for index, stage in enumerate(configuration.stages):
        for name, job in configuration.jobs.items():
            if job["stage"] != stage:
                continue
            own = job.get("variables") or {}
            values = known({**own, "CI_JOB_NAME": name, "CI_JOB_STAGE": stage})
            verdict = ci_rules.verdict(job, situation, values, files, workflow="rules" in configuration.workflow)
            if verdict is not None and (made := _job(name, job, index, verdict)) is not None:
                inherit = job.get("inherit")
                inherited = inherit.get("variables", True) if isinstance(inherit, dict) else True
                globals_ = {
                    key: value
                    for key, value in shared.items()
                    if inherited is True or (isinstance(inherited, list) and key in inherited)
                }
                jobs.append({**made, "variables": {**globals_, **own, **(verdict.variables or {})}})
    if not any(job["stage"] not in {".pre", ".post"} for job in jobs):
        raise NoPipelineError(NO_JOBS)
    if absent := ci_needs.missing(jobs):
        raise ConfigError(*absent)
    title = configuration.workflow.get("name")
    return jobs, ci_variables.expand(str(title), known({})) if title else None


def _job(name: str, job: Mapping[str, Any], index: int, verdict: ci_rules.Verdict) -> Document | None:
    when = verdict.when or str(job.get("when", "on_success"))
    if when == "never":
        return None
    allowed = job.get("allow_failure")
    # With `exit_codes`, only the job's failure decides whether it is allowed.
    allowed = (when == "manual" and "rules" not in job) if allowed is None else allowed is True
    return {
        "name": name,
        "stage": job["stage"],
        "stage_index": index,
        "when": "on_success" if when == "delayed" else when,
        "allow_failure": allowed if verdict.allow_failure is None else verdict.allow_failure,
        "config": {key: value for key, value in job.items() if key not in {"rules", "only", "except", "variables"}},
    }


def _add_job(site: GitLabSite, project: Document, pipeline: Document, job: Document) -> None:
    document = {
        **job,
        "project_id": project["id"],
        "pipeline_id": pipeline["id"],
        "user_id": pipeline["user_id"],
        "status": "created",
        "created_at": now(),
        "timeout": duration(job["config"].get("timeout")) or project.get("build_timeout") or 3600,
        "retried": False,
        "environment_id": None,
        "environment_action": "start",
        **dict.fromkeys(
            ("started_at", "finished_at", "queued_at", "runner_id", "token_digest", "failure_reason", "exit_code")
        ),
    }
    environment = job["config"].get("environment")
    if environment:
        environment = {"name": environment} if isinstance(environment, str) else environment
        document["environment_action"] = environment.get("action", "start")
        found = _environment(site, project, pipeline, document, environment)
        document["environment_id"] = found["id"] if found else None
    site.store.add("job", document)


def _environment(
    site: GitLabSite, project: Document, pipeline: Document, job: Document, wanted: Mapping[str, Any]
) -> Document | None:
    """Return a job's environment, which is created if it is new."""
    known = ci_variables.values(ci_variables.all_of_job(site, project, pipeline, {**job, "id": None}))
    name = ci_variables.expand(wanted["name"], known)
    found = site.store.first("environment", project_id=project["id"], name=name)
    if found is not None or wanted.get("action") == "stop":
        return found
    url = ci_variables.expand(str(wanted.get("url") or ""), known)
    return ci_environments.add(site, project, name, tier=wanted.get("deployment_tier"), url=url or None)


def duration(text: Any) -> int | None:
    """Return a duration such as `1h 30m` or `90 minutes` in seconds; None if it is malformed."""
    if isinstance(text, int):
        return text
    found = re.findall(r"(\d{1,6})\s*([wdhms])", str(text or "").lower())
    return sum(int(number) * _UNITS[unit] for number, unit in found) or None


# After a push ---------------------------------------------------------------------------------------------------------


def install(site: GitLabSite) -> None:
    """Register for pushes, to create pipelines, and for deleted projects."""
    site.removing.append(removing)
    if _pushed not in listeners:
        listeners.append(_pushed)


def _pushed(
    site: GitLabSite, project: Document, user: Document | None, updates: Sequence[Update], options: Sequence[str]
) -> None:
    if user is None or "ci.no_pipeline" in options:
        return
    for update in updates:
        if update.new == ZERO or not update.ref.startswith((HEADS, TAGS)):
            continue
        sha = repository(site, project).resolve(update.ref)
        if sha is None:
            continue
        wanted = PipelineRequest("push", update.ref, sha, acting(user), before=update.old, skip="ci.skip" in options)
        attempt(site, project, wanted)


def attempt(site: GitLabSite, project: Document, wanted: PipelineRequest) -> Document | None:
    """Create a pipeline, or return None if nothing runs."""
    try:
        return create(site, project, wanted)
    except NoPipelineError:
        return None


def removing(site: GitLabSite, project: Document) -> None:
    """Delete the pipelines of a deleted project."""
    for job in site.store.find("job", project_id=project["id"]):
        ci_jobs.trace(site, job["id"]).unlink(missing_ok=True)
        ci_artifacts.remove(site, job["id"])
        site.store.remove("job", job["id"])
    for pipeline in site.store.find("pipeline", project_id=project["id"]):
        site.store.remove("pipeline", pipeline["id"])
