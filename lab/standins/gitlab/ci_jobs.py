"""States of jobs and their pipeline: stages in order, manual jobs, retries, cancellation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from lab.standins.gitlab import access, protection
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.store import Document

ACTIVE: Final = frozenset({"created", "waiting_for_resource", "preparing", "pending", "running"})
DONE: Final = frozenset({"success", "failed", "canceled", "skipped"})
SCOPES: Final = (*sorted(ACTIVE | DONE), "canceling", "manual", "scheduled")


def of_pipeline(site: GitLabSite, pipeline: Document, *, retried: bool = False) -> list[Document]:
    """Return the jobs of a pipeline, by id; with `retried`, also jobs that were replaced."""
    found = site.store.find("job", pipeline_id=pipeline["id"])
    return found if retried else [one for one in found if not one["retried"]]


def advance(site: GitLabSite, pipeline_id: int) -> Document:
    """Start the jobs that are due and update the pipeline's state. Returns the pipeline."""
    pipeline = site.store.get("pipeline", pipeline_id)
    if pipeline is None:
        raise LookupError(f"no pipeline {pipeline_id}")
    jobs = of_pipeline(site, pipeline)
    for stage in sorted({job["stage_index"] for job in jobs}):
        before = [job for job in jobs if job["stage_index"] < stage]
        if any(not _passed(job) for job in before):
            break
        failed = any(job["status"] in {"failed", "canceled"} and not _may_fail(job) for job in before)
        for job in jobs:
            if job["stage_index"] == stage and job["status"] == "created":
                job["status"] = _due(site, job, failed=failed)
                if job["status"] == "pending" and "trigger" in job["config"]:
                    for start in site.bridging:
                        job.update(start(site, job))
                if job["status"] == "failed" and not job["failure_reason"]:
                    job |= {"failure_reason": "protected_environment_failure", "finished_at": now()}
                job["queued_at"] = now()
                site.store.put("job", job)
    return _settle(site, pipeline, jobs)


def _due(site: GitLabSite, job: Document, *, failed: bool) -> str:
    when = job["when"]
    if (failed and when not in {"always", "on_failure"}) or (when == "on_failure" and not failed):
        return "skipped"
    if when == "manual":
        return "manual"
    return "pending" if may_deploy(site, job) else "failed"


def may_deploy(site: GitLabSite, job: Document) -> bool:
    """Whether a job's user may deploy to its environment, which can be protected."""
    if not site.premium or not job.get("environment_id"):
        return True
    environment = site.store.get("environment", job["environment_id"])
    name = environment["name"] if environment else ""
    rule = site.store.first("protected_environment", project_id=job["project_id"], name=name)
    user = site.store.get("user", job["user_id"])
    project = site.store.get("project", job["project_id"])
    if rule is None:
        return True
    if user is None or project is None:
        return False
    level = access.ADMIN if user["is_admin"] else access.user_project_level(site, user["id"], project)
    return protection.allowed(site, user, level, rule["deploy_access_levels"])


def _passed(job: Document) -> bool:
    """Whether the next stage can start, as far as this job matters."""
    return job["status"] in DONE or (job["status"] == "manual" and job["allow_failure"])


def _may_fail(job: Document) -> bool:
    return bool(job["allow_failure"])


def allows_exit_code(job: Document, exit_code: int | None) -> bool:
    """Whether `allow_failure:exit_codes` of a job contains this code."""
    allowed = job["config"].get("allow_failure")
    codes = allowed.get("exit_codes") if isinstance(allowed, dict) else None
    return exit_code in (codes if isinstance(codes, list) else [codes]) and exit_code is not None


def _settle(site: GitLabSite, pipeline: Document, jobs: Sequence[Document]) -> Document:
    status = composite(jobs)
    if status == pipeline["status"]:
        return pipeline
    moment = now()
    changed = {**pipeline, "status": status, "updated_at": moment}
    if status == "running" and not pipeline["started_at"]:
        changed["started_at"] = moment
    changed["finished_at"] = moment if status in DONE else None
    site.store.put("pipeline", changed)
    for inform in site.settled:
        inform(site, changed)
    return changed


def composite(jobs: Sequence[Document]) -> str:
    """Return the common state of jobs."""
    found = [job["status"] for job in jobs]
    states = set(found)
    waiting = {job["status"] for job in jobs if job["status"] == "manual" and not job["allow_failure"]}
    if not states <= {"created"} and "running" in states:
        return "running"
    if states == {"created"}:
        return "created"
    if states & {"pending"}:
        return "running" if states & {"success", "failed"} else "pending"
    if waiting:
        return "manual"
    if "created" in states:
        return "running"
    if "canceled" in states:
        return "canceled"
    if any(job["status"] == "failed" and not job["allow_failure"] for job in jobs):
        return "failed"
    if states <= {"skipped"}:
        return "skipped"
    return "manual" if states == {"manual"} else "success"


def change(site: GitLabSite, job: Document, status: str, **more: object) -> Document:
    """Set a job's state, and advance its pipeline. Returns the job."""
    moment = now()
    changed = {**job, "status": status, **more}
    if status == "running":
        changed["started_at"] = moment
    if status in DONE:
        changed["finished_at"] = moment
    site.store.put("job", changed)
    advance(site, job["pipeline_id"])
    return site.store.get("job", job["id"]) or changed


def again(site: GitLabSite, job: Document, user: Document) -> Document:
    """Return a new job that replaces a finished one; later jobs that were skipped wait again."""
    site.store.put("job", {**job, "retried": True})
    fresh = {
        **job,
        "status": "created",
        "user_id": user["id"],
        "created_at": now(),
        **dict.fromkeys(
            ("started_at", "finished_at", "queued_at", "runner_id", "token_digest", "failure_reason", "exit_code")
        ),
        "when": "on_success" if job["when"] == "manual" else job["when"],
    }
    fresh.pop("id")
    made = site.store.add("job", fresh)
    for other in site.store.find("job", pipeline_id=job["pipeline_id"], status="skipped", retried=False):
        if other["stage_index"] > job["stage_index"]:
            site.store.put("job", {**other, "status": "created", "finished_at": None})
    advance(site, job["pipeline_id"])
    return site.store.get("job", made["id"]) or made


def seconds(start: str | None, end: str | None) -> float | None:
    """Return the seconds between two moments."""
    if not start or not end:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def trace(site: GitLabSite, job_id: int) -> Path:
    """Return the file of a job's log."""
    folder = site.data / "traces"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{job_id}.log"
