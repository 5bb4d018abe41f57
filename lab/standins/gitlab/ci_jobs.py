"""States of jobs and their pipeline: stages in order, manual jobs, retries, cancellation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from lab.standins.gitlab import access, ci_needs, ci_rules, protection
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
    while due := [(job, state) for job in jobs if (state := _next(site, job, jobs)) is not None]:
        for job, state in due:
            job["status"] = state
            if state == "pending" and "trigger" in job["config"]:
                for start in site.bridging:
                    job.update(start(site, job))
            if job["status"] == "failed" and not job["failure_reason"]:
                job |= {"failure_reason": "protected_environment_failure", "finished_at": now()}
            job["queued_at"] = now()
            site.store.put("job", job)
    return _settle(site, pipeline, jobs)


def _next(site: GitLabSite, job: Document, jobs: Sequence[Document]) -> str | None:
    """Return the state that a job gets now, None if it keeps its state."""
    outcome = ci_needs.outcome(job, jobs) if job["status"] == "created" else None
    if outcome is None:
        return None
    when = job["when"]
    runs = {"always": {"success", "failed", "skipped"}, "on_failure": {"failed"}}.get(when, {"success"})
    if outcome not in runs:
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
    for settled in site.settled:
        settled(site, changed)
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
    revive(site, made)
    advance(site, job["pipeline_id"])
    return site.store.get("job", made["id"]) or made


def revive(site: GitLabSite, job: Document) -> None:
    """Let the skipped jobs that wait for a job wait again."""
    for other in ci_needs.after(job, site.store.find("job", pipeline_id=job["pipeline_id"], retried=False)):
        if other["status"] == "skipped":
            site.store.put("job", {**other, "status": "created", "finished_at": None})


def seconds(start: str | None, end: str | None) -> float | None:
    """Return the seconds between two moments."""
    if not start or not end:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def coverage(site: GitLabSite, job: Document) -> float | None:
    """Return what the job's `coverage:` finds in its log: the number in the last match."""
    pattern = ci_rules.compiled(str(job["config"].get("coverage") or ""))
    file = trace(site, job["id"])
    if pattern is None or not file.exists():
        return None
    for line in reversed(file.read_text(encoding="utf-8", errors="replace").splitlines()):
        found = list(pattern.finditer(line))
        if found:
            text = found[-1][1] if pattern.groups else found[-1][0]
            number = re.search(r"\d+(?:\.\d+)?", text or "")
            if number is not None:
                return float(number[0])
    return None


def trace(site: GitLabSite, job_id: int) -> Path:
    """Return the file of a job's log."""
    folder = site.data / "traces"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{job_id}.log"
