# ruff: noqa: ANN401 - JSON answers have any type
"""Runners: registration, management, and the protocol with which they take jobs and report."""

from __future__ import annotations

import re
import secrets
from typing import Any, Final, Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from lab.standins.gitlab import access, ci_environments, ci_jobs, ci_runners
from lab.standins.gitlab.errors import bad_request, forbidden, invalid, not_found
from lab.standins.gitlab.paging import Reply
from lab.standins.gitlab.params import Bool, Hash, Int, Paging, Params, Text, Texts
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import GitLabSite, digest, now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("runners")

Type = Literal["instance_type", "group_type", "project_type"]
_LONGEST_TRACE: Final = 100 * 2**20
_RANGE: Final = re.compile(r"(\d{1,12})-(\d{1,12})")


class RunnerParams(Params):
    """Parameters of creation and update."""

    description: Text = None
    maintenance_note: Text = None
    paused: Bool = None
    locked: Bool = None
    run_untagged: Bool = None
    tag_list: Texts = None
    access_level: Literal["not_protected", "ref_protected"] | None = None
    maximum_timeout: Int = None


class NewRunner(RunnerParams):
    """Parameters of a new runner."""

    runner_type: Type
    group_id: Int = None
    project_id: Int = None


class Token(Params):
    """A runner's token."""

    token: str


class RunnerFilter(Paging):
    """Filter of runners."""

    type: Type | None = None
    paused: Bool = None
    tag_list: Texts = None


class JobRequest(Params):
    """A runner's request for a job."""

    token: str
    last_update: Text = None
    info: Hash = None


class JobReport(Params):
    """The outcome of a job."""

    token: str
    state: Text = None
    failure_reason: Text = None
    exit_code: Int = None
    checksum: Text = None
    output: Hash = None


# Managing -------------------------------------------------------------------------------------------------------------


def _basic(runner: Document) -> Document:
    names = ("id", "description", "paused", "runner_type")
    return {
        **{name: runner[name] for name in names},
        "active": not runner["paused"],
        "ip_address": None,
        "is_shared": runner["runner_type"] == "instance_type",
        "name": None,
        "online": runner.get("contacted_at") is not None,
        "status": "online" if runner.get("contacted_at") else "never_contacted",
        "created_at": runner["created_at"],
        "created_by": None,
        "job_execution_status": "idle",
    }


def _whole(call: Call, runner: Document) -> Document:
    def listed(kind: str, ids: list[int]) -> list[Document]:
        found = [call.store.get(kind, one) for one in ids]
        return [{"id": one["id"], "name": one["name"], "path": one["path"]} for one in found if one is not None]

    names = ("tag_list", "run_untagged", "locked", "maximum_timeout", "access_level", "maintenance_note")
    return {
        **_basic(runner),
        **{name: runner[name] for name in names},
        "contacted_at": runner.get("contacted_at"),
        "version": None,
        "revision": None,
        "platform": None,
        "architecture": None,
        "projects": listed("project", runner["project_ids"]),
        "groups": listed("namespace", runner["group_ids"]),
    }


def _add(call: Call, given: RunnerParams, kind: str, *, group: int | None, project: int | None, prefix: str) -> Any:
    if not given.run_untagged and given.run_untagged is not None and not given.tag_list:
        raise invalid(tags_list=["can not be empty when runner is not allowed to pick untagged jobs"])
    if given.maximum_timeout is not None and given.maximum_timeout < 600:  # noqa: PLR2004 - ten minutes
        raise invalid(maximum_timeout=["needs to be at least 10 minutes"])
    token = f"{prefix}{secrets.token_urlsafe(15)}"
    runner = call.store.add(
        "runner",
        {
            "runner_type": kind,
            "project_ids": [project] if project else [],
            "group_ids": [group] if group else [],
            "description": given.description,
            "maintenance_note": given.maintenance_note,
            "paused": bool(given.paused),
            "locked": bool(given.locked),
            "run_untagged": given.run_untagged is not False,
            "tag_list": sorted(set(given.tag_list or [])),
            "access_level": given.access_level or "not_protected",
            "maximum_timeout": given.maximum_timeout,
            "digest": digest(token),
            "created_at": now(),
            "contacted_at": None,
        },
    )
    return {"id": runner["id"], "token": token, "token_expires_at": None}


@router.post("/user/runners", scopes=("create_runner",))
@needed_by(Need.CHAIN, Need.PIPELINE, Need.PEOPLE)
def create_runner(call: Call, given: NewRunner) -> Any:
    """Create a runner; only this answer contains its token."""
    if given.runner_type == "instance_type":
        call.require_admin()
        return _add(call, given, given.runner_type, group=None, project=None, prefix="glrt-")
    if given.runner_type == "group_type":
        if given.group_id is None:
            raise bad_request("group_id is missing")
        group = call.group(given.group_id, access.OWNER)
        return _add(call, given, given.runner_type, group=group["id"], project=None, prefix="glrt-")
    if given.project_id is None:
        raise bad_request("project_id is missing")
    project = call.project(given.project_id, access.MAINTAINER)
    return _add(call, given, given.runner_type, group=None, project=project["id"], prefix="glrt-")


@router.post("/runners/verify", anonymous=True, status=200)
@needed_by(Need.CATALOGUE_JOBS)
def verify_runner(call: Call, given: Token) -> Any:
    """Check a runner's token."""
    runner = _runner(call, given.token)
    return {"id": runner["id"], "token": given.token, "token_expires_at": None}


@router.delete("/runners", anonymous=True)
@needed_by(Need.CHAIN)
def unregister_runner(call: Call, given: Token) -> None:
    """Delete the runner of a token."""
    call.store.remove("runner", _runner(call, given.token)["id"])


def _runner(call: Call, token: str) -> Document:
    found = call.store.first("runner", digest=digest(token))
    if found is None:
        raise forbidden()
    return found


def _kept(found: list[Document], given: RunnerFilter) -> list[Document]:
    return [
        one
        for one in found
        if given.type in {None, one["runner_type"]}
        and given.paused in {None, one["paused"]}
        and set(given.tag_list or []) <= set(one["tag_list"])
    ]


@router.get("/projects/{id}/runners")
@needed_by(Need.INVENTORY)
def list_project_runners(call: Call, id: str, given: RunnerFilter) -> Any:
    """List the runners that may work for a project."""
    project = call.project(id, access.MAINTAINER)
    above = {one["id"] for one in access.lineage(call.site, access.namespace(call.site, project))}
    found = [
        one
        for one in call.store.find("runner")
        if one["runner_type"] == "instance_type"
        or project["id"] in one["project_ids"]
        or not above.isdisjoint(one["group_ids"])
    ]
    return call.page(_kept(found, given), given, _basic)


@router.get("/groups/{id}/runners")
@needed_by(Need.INVENTORY)
def list_group_runners(call: Call, id: str, given: RunnerFilter) -> Any:
    """List the runners that may work for a group."""
    group = call.group(id, access.MAINTAINER)
    above = {one["id"] for one in access.lineage(call.site, group)}
    found = [
        one
        for one in call.store.find("runner")
        if one["runner_type"] == "instance_type" or not above.isdisjoint(one["group_ids"])
    ]
    return call.page(_kept(found, given), given, _basic)


def _mine(call: Call, runner: Document) -> bool:
    if call.is_admin:
        return True
    projects = [call.store.get("project", one) for one in runner["project_ids"]]
    groups = [call.store.get("namespace", one) for one in runner["group_ids"]]
    return any(one is not None and call.project_level(one) >= access.MAINTAINER for one in projects) or any(
        one is not None and call.group_level(one) >= access.OWNER for one in groups
    )


def _managed(call: Call, id_: int) -> Document:
    _ = call.user
    found = call.store.get("runner", id_)
    if found is None:
        raise not_found("Runner")
    if not _mine(call, found):
        raise forbidden("No access granted")
    return found


@router.get("/runners/{runner_id}")
@needed_by(Need.CATALOGUE_JOBS, Need.ROTATION)
def get_runner(call: Call, runner_id: int) -> Any:
    """Return one runner."""
    return _whole(call, _managed(call, runner_id))


@router.put("/runners/{runner_id}")
@needed_by(Need.CATALOGUE_JOBS)
def update_runner(call: Call, runner_id: int, given: RunnerParams) -> Any:
    """Update a runner."""
    sent = {name: value for name, value in given.sent().items() if value is not None}
    changed = {**_managed(call, runner_id), **sent}
    if not changed["run_untagged"] and not changed["tag_list"]:
        raise invalid(tags_list=["can not be empty when runner is not allowed to pick untagged jobs"])
    call.store.put("runner", changed)
    return _whole(call, changed)


@router.delete("/runners/{runner_id}")
@needed_by(Need.INVENTORY)
def delete_runner(call: Call, runner_id: int) -> None:
    """Delete a runner."""
    call.store.remove("runner", _managed(call, runner_id)["id"])


# The protocol ---------------------------------------------------------------------------------------------------------


@router.post("/jobs/request", anonymous=True)
@needed_by(Need.CHAIN, Need.PIPELINE)
def request_job(call: Call, given: JobRequest) -> Any:
    """Give a runner the next job that it may run; 204 if there is none."""
    runner = _runner(call, given.token)
    call.store.put("runner", {**runner, "contacted_at": now()})
    job = None if runner["paused"] else ci_runners.take(call.site, runner)
    if job is None:
        return Reply(None, 204, {"X-GitLab-Last-Update": secrets.token_hex(16)})
    return job


def running(site: GitLabSite, job_id: int, token: str) -> Document | None:
    """Return the running job with this token."""
    job = site.store.get("job", job_id)
    good = job is not None and job["token_digest"] == digest(token)
    return job if good and job is not None and job["status"] == "running" else None


@router.put("/jobs/{job_id}", anonymous=True, job_token=True)
@needed_by(Need.CHAIN, Need.PIPELINE)
def report_job(call: Call, job_id: int, given: JobReport) -> Any:
    """Record the outcome of a job; its token is invalid from then on."""
    job = running(call.site, job_id, given.token)
    if job is None:
        known = call.store.get("job", job_id)
        status = str(known["status"]) if known is not None and known["token_digest"] == digest(given.token) else ""
        headers = {"Job-Status": status} if status else {}
        return JSONResponse({"message": "403 Forbidden  - Job is not running"}, 403, headers)
    if given.state in {"success", "failed"}:
        more: dict[str, object] = {}
        if given.state == "failed":
            allowed = job["allow_failure"] or ci_jobs.allows_exit_code(job, given.exit_code)
            more = {"failure_reason": given.failure_reason or "unknown_failure", "allow_failure": allowed}
        more["coverage"] = ci_jobs.coverage(call.site, job)
        done = ci_jobs.change(call.site, job, given.state, exit_code=given.exit_code, **more)
        ci_environments.finished(call.site, done)
    return PlainTextResponse("200", 200, {"X-GitLab-Trace-Update-Interval": "3"})


@router.fastapi.patch("/jobs/{job_id}/trace", operation_id="patch_jobs_job_id_trace", status_code=202)
@needed_by(Need.CATALOGUE_JOBS)
async def append_trace(request: Request, job_id: str) -> Response:
    """Append to a job's log; `Content-Range` has the first byte."""
    content = await request.body()
    return await run_in_threadpool(_append, request, job_id, content)


def _append(request: Request, job_id: str, content: bytes) -> Response:
    site: GitLabSite = request.app.state.site
    token = request.headers.get("job-token") or request.query_params.get("token") or ""
    number = int(job_id) if job_id.isascii() and job_id.isdigit() and len(job_id) < 10 else 0  # noqa: PLR2004 - fits an integer
    job = running(site, number, token)
    if job is None:
        return JSONResponse({"message": "403 Forbidden"}, 403)
    match = _RANGE.match(request.headers.get("content-range", ""))
    if match is None:
        return JSONResponse({"error": "400 Missing header Content-Range"}, 400)
    file = ci_jobs.trace(site, job["id"])
    size = file.stat().st_size if file.exists() else 0
    start = int(match[1])
    if start != size or size + len(content) > _LONGEST_TRACE:
        return JSONResponse({"error": "416 Range Not Satisfiable"}, 416, {"Range": f"0-{size}"})
    with file.open("ab") as stream:
        stream.write(content)
    headers = {
        "Job-Status": job["status"],
        "Range": f"0-{size + len(content)}",
        "X-GitLab-Trace-Update-Interval": "3",
    }
    return Response("202", 202, headers, "text/plain")
