# ruff: noqa: ANN401 - JSON answers have any type
"""Jobs: list, read, trace, cancel, retry, play."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from lab.standins.gitlab import access, api_ci_pipelines, ci_artifacts, ci_jobs, ci_pipelines, git_push, users
from lab.standins.gitlab.api_repository_commits import rendered
from lab.standins.gitlab.errors import forbidden, not_found, parameter
from lab.standins.gitlab.params import Bool, Hashes, Paging, Params, Texts
from lab.standins.gitlab.repositories import last, repository
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("jobs")


class JobFilter(Paging):
    """Filter of jobs."""

    scope: Texts = None
    include_retried: Bool = None


class PlayParams(Params):
    """Parameters of a run."""

    job_variables_attributes: Hashes = None


def shown(site: GitLabSite, job: Document) -> Document:
    """Return a job as shown in the API."""
    pipeline = site.store.get("pipeline", job["pipeline_id"]) or {}
    project = site.store.get("project", job["project_id"]) or {}
    user = site.store.get("user", job["user_id"])
    runner = site.store.get("runner", job["runner_id"]) if job["runner_id"] else None
    commit = last(repository(site, project), pipeline["sha"])
    return {
        **{name: job[name] for name in ("id", "status", "stage", "name")},
        "ref": pipeline["ref"],
        "tag": pipeline["tag"],
        "coverage": job.get("coverage"),
        **{name: job[name] for name in ("allow_failure", "created_at", "started_at", "finished_at")},
        "erased_at": job.get("erased_at"),
        "duration": ci_jobs.seconds(job["started_at"], job["finished_at"]),
        "queued_duration": ci_jobs.seconds(job["queued_at"], job["started_at"]),
        "user": users.basic(site, user) if user else None,
        "commit": rendered(site, project, commit) if commit else None,
        "pipeline": {k: v for k, v in api_ci_pipelines.basic(site, pipeline).items() if k != "name"},
        **({"failure_reason": job["failure_reason"]} if job["failure_reason"] else {}),
        "web_url": f"{site.url}/{project['full_path']}/-/jobs/{job['id']}",
        "project": {"ci_job_token_scope_enabled": False},
        "artifacts": [_artifact(one) for one in ci_artifacts.of_job(site, job["id"])],
        "runner": {k: runner[k] for k in ("id", "description", "runner_type", "paused")} if runner else None,
        "runner_manager": None,
        "artifacts_expire_at": None,
        "archived": False,
        "tag_list": job["config"].get("tags") or [],
    }


def _artifact(one: Document) -> Document:
    return {"file_type": one["file_type"], "size": one["size"], "filename": one["filename"],
            "file_format": one["file_format"]}  # fmt: skip


def _one(call: Call, id_: str, job_id: int, level: int = access.REPORTER) -> tuple[Document, Document]:
    project = call.ci_project(id_, level)
    found = call.store.get("job", job_id)
    if found is None or found["project_id"] != project["id"]:
        raise not_found()
    return project, found


def _writable(call: Call, id_: str, job_id: int) -> Document:
    """Return a job that the caller may run: on a protected ref, only users who may write to the ref."""
    project, job = _one(call, id_, job_id, access.DEVELOPER)
    pipeline = call.store.get("pipeline", job["pipeline_id"]) or {}
    if not pipeline["tag"] and not pipeline["merge_request_id"]:
        branch = pipeline["ref"]
        if not git_push.can_push(call.site, call.actor, project, branch) and not git_push.can_merge(
            call.site, call.actor, project, branch
        ):
            raise forbidden()
    return job


def _scoped(found: list[Document], given: JobFilter) -> list[Document]:
    unknown = set(given.scope or []) - set(ci_jobs.SCOPES)
    if unknown:
        raise parameter("scope does not have a valid value")
    kept = [one for one in found if given.scope is None or one["status"] in given.scope]
    return sorted(kept, key=lambda one: -int(one["id"]))


@router.get("/projects/{id}/pipelines/{pipeline_id}/jobs", job_token=True, anonymous=True)
@needed_by(Need.PIPELINE)
def list_pipeline_jobs(call: Call, id: str, pipeline_id: int, given: JobFilter) -> Any:
    """List the jobs of a pipeline, newest first."""
    _, pipeline = api_ci_pipelines.find(call, id, pipeline_id)
    jobs = ci_jobs.of_pipeline(call.site, pipeline, retried=bool(given.include_retried))
    found = _scoped([one for one in jobs if "trigger" not in one["config"]], given)
    return call.page(found, given, lambda one: shown(call.site, one))


@router.get("/projects/{id}/pipelines/{pipeline_id}/bridges")
@needed_by(Need.ISOLATION, Need.FLEET)
def list_bridges(call: Call, id: str, pipeline_id: int, given: JobFilter) -> Any:
    """List the jobs that start other pipelines, with those pipelines."""
    _, pipeline = api_ci_pipelines.find(call, id, pipeline_id)
    found = _scoped([one for one in ci_jobs.of_pipeline(call.site, pipeline) if "trigger" in one["config"]], given)
    return call.page(found, given, lambda one: _bridge(call.site, one))


def _bridge(site: GitLabSite, job: Document) -> Document:
    below = site.store.get("pipeline", job.get("downstream_id") or 0)
    return {**shown(site, job), "downstream_pipeline": api_ci_pipelines.basic(site, below) if below else None}


@router.get("/projects/{id}/jobs/{job_id}", job_token=True)
@needed_by(Need.PROGRAM)
def get_job(call: Call, id: str, job_id: int) -> Any:
    """Return one job."""
    return shown(call.site, _one(call, id, job_id)[1])


@router.get("/projects/{id}/jobs/{job_id}/trace")
@needed_by(Need.CATALOGUE_JOBS)
def job_trace(call: Call, id: str, job_id: int) -> Any:
    """Return the log of a job."""
    _, job = _one(call, id, job_id)
    file = ci_jobs.trace(call.site, job["id"])
    return Response(file.read_bytes() if file.exists() else b"", media_type="text/plain")


@router.post("/projects/{id}/jobs/{job_id}/retry")
@needed_by(Need.CATALOGUE_JOBS, Need.FLEET)
def retry_job(call: Call, id: str, job_id: int) -> Any:
    """Run a job again."""
    job = _writable(call, id, job_id)
    if job["status"] not in {"success", "failed", "canceled"} or job["retried"]:
        raise forbidden("Job is not retryable")
    return shown(call.site, ci_jobs.again(call.site, job, call.user))


@router.post("/projects/{id}/jobs/{job_id}/play", status=200)
@needed_by(Need.PIPELINE)
def play_job(call: Call, id: str, job_id: int, given: PlayParams) -> Any:
    """Start a manual job."""
    job = _writable(call, id, job_id)
    if job["status"] != "manual":
        raise parameter("Unplayable Job")
    extra = {str(one.get("key")): str(one.get("value", "")) for one in given.job_variables_attributes or []}
    project = call.ci_project(id)
    if extra and not (call.actor and ci_pipelines.may_set_variables(call.site, call.actor, project)):
        raise forbidden()
    job = {**job, "user_id": call.user["id"], "variables": {**job["variables"], **extra}}
    if not ci_jobs.may_deploy(call.site, job):
        raise forbidden()
    ci_jobs.revive(call.site, job)
    return shown(call.site, ci_jobs.change(call.site, job, "pending", queued_at=now()))
