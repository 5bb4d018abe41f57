"""Pipelines that jobs with `trigger:` start, in another project or as child pipelines.

Like in GitLab (Ci::CreateDownstreamPipelineService), the job's user needs write access to the ref; the allow list of
job tokens does not matter. With `strategy`, the job runs as long as its pipeline.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from lab.standins.gitlab import access, ci_config, ci_jobs, ci_pipelines, ci_variables, git_push
from lab.standins.gitlab.git_push import HEADS
from lab.standins.gitlab.repositories import repositories, repository
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.store import Document

#: Depth of child pipelines.
_DEEPEST: Final = 2


def install(site: GitLabSite) -> None:
    """Register the functions that start the pipelines and notice their end."""
    site.bridging.append(start)
    site.settled.append(_settled)


def start(site: GitLabSite, job: Document) -> Document:
    """Start a job's pipeline; return the job with the outcome."""
    try:
        made = _downstream(site, job)
    except _RefusedError as error:
        return {**job, "status": "failed", "failure_reason": str(error), "finished_at": now()}
    trigger = job["config"]["trigger"]
    if isinstance(trigger, dict) and trigger.get("strategy"):
        return {**job, "status": "running", "started_at": now(), "downstream_id": made["id"]}
    return {**job, "status": "success", "finished_at": now(), "downstream_id": made["id"]}


def _settled(site: GitLabSite, pipeline: Document) -> None:
    """Give the job that waits for a pipeline its outcome (Ci::Bridge#inherit_status_from_downstream)."""
    job = site.store.first("job", downstream_id=pipeline["id"], status="running")
    if job is None or pipeline["status"] not in ci_jobs.DONE:
        return
    status = pipeline["status"]
    if status == "skipped" and job["config"]["trigger"]["strategy"] == "depend":
        status = "failed"
    ci_jobs.change(site, job, status)


class _RefusedError(Exception):
    """No pipeline was started; the argument is GitLab's failure reason."""


def _downstream(site: GitLabSite, job: Document) -> Document:
    trigger = job["config"]["trigger"]
    trigger = {"project": trigger} if isinstance(trigger, str) else trigger
    upstream = site.store.get("pipeline", job["pipeline_id"]) or {}
    project = site.store.get("project", job["project_id"]) or {}
    user = site.store.get("user", job["user_id"]) or {}
    if "include" in trigger:
        return _child(site, project, upstream, user, job, ci_config.included(trigger["include"]) or {})
    known = ci_variables.values(ci_variables.all_of_job(site, project, upstream, job))
    actor = ci_pipelines.acting(user)
    target = site.store.first("project", route=ci_variables.expand(str(trigger["project"]), known).strip("/").lower())
    if target is None or not access.sees_project(site, actor, target):
        raise _RefusedError("downstream_bridge_project_not_found")
    if target["id"] == project["id"]:
        raise _RefusedError("invalid_bridge_trigger")
    branch = str(trigger.get("branch") or repositories(site).default_branch(target) or "main")
    branch = ci_variables.expand(branch, known)
    writes = git_push.can_push(site, actor, target, branch) or git_push.can_merge(site, actor, target, branch)
    if access.project_level(site, actor, target) < access.DEVELOPER or not writes:
        raise _RefusedError("insufficient_bridge_permissions")
    sha = repository(site, target).resolve(HEADS + branch)
    if sha is None:
        raise _RefusedError("downstream_pipeline_creation_failed")
    wanted = ci_pipelines.PipelineRequest(
        "pipeline",
        HEADS + branch,
        sha,
        actor,
        variables=_passed(job, trigger, known),
        keep_errors=False,
        heed_skip=False,
    )
    return _made(site, target, wanted)


def _child(
    site: GitLabSite, project: Document, upstream: Document, user: Document, job: Document, file: Mapping[str, str]
) -> Document:
    if upstream.get("child_depth", 0) >= _DEEPEST:
        raise _RefusedError("reached_max_descendant_pipelines_depth")
    known = ci_variables.values(ci_variables.all_of_job(site, project, upstream, job))
    wanted = ci_pipelines.PipelineRequest(
        "parent_pipeline",
        upstream["git_ref"],
        upstream["sha"],
        ci_pipelines.acting(user),
        variables=_passed(job, job["config"]["trigger"], known),
        keep_errors=False,
        heed_skip=False,
        parent=upstream,
        config=json.dumps({"include": [{key: ci_variables.expand(value, known) for key, value in file.items()}]}),
    )
    return _made(site, project, wanted)


def _made(site: GitLabSite, project: Document, wanted: ci_pipelines.PipelineRequest) -> Document:
    try:
        return ci_pipelines.create(site, project, wanted)
    except ci_pipelines.NoPipelineError:
        raise _RefusedError("downstream_pipeline_creation_failed") from None


def _passed(job: Document, trigger: Mapping[str, Any], known: Mapping[str, str]) -> list[Document]:
    """Return the variables that the new pipeline gets: those of the configuration, unless `forward` excludes them."""
    forward = trigger.get("forward") or {}
    if isinstance(forward, dict) and forward.get("yaml_variables") is False:
        return []
    return [
        {"key": one.key, "value": one.value if one.raw else ci_variables.expand(one.value, known)}
        for one in ci_variables.of_yaml(job["variables"])
    ]
