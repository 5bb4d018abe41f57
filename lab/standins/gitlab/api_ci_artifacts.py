"""Artifacts: the runners' uploads and downloads."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from lab.standins.gitlab import access, ci_artifacts, ci_tokens
from lab.standins.gitlab.api_ci_runners import running
from lab.standins.gitlab.errors import forbidden, not_found, unauthorized
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import GitLabSite, digest
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("jobs")
#: Of an archive; GitLab's default (ApplicationSetting `max_artifacts_size`).
_LARGEST = 100 * 2**20


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004 - fits an integer


@router.fastapi.post("/jobs/{job_id}/artifacts", operation_id="post_jobs_job_id_artifacts", status_code=201)
@needed_by(Need.PIPELINE)
async def upload_artifacts(request: Request, job_id: str) -> Response:
    """Store a job's archive or one of its reports, while the job runs."""
    given: dict[str, Any] = dict(request.query_params)
    file: bytes | None = None
    try:
        async with request.form() as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    if name == "file":
                        file = await value.read()
                        given.setdefault("name", value.filename)
                else:
                    given[name] = value
    except Exception:  # noqa: BLE001 - each error of the parser is an invalid body
        return JSONResponse({"error": "Invalid form: message body does not match declared format"}, 400)
    token = request.headers.get("job-token") or str(given.get("token") or "")
    return await run_in_threadpool(_store, request.app.state.site, _number(job_id), token, file, given)


def _store(site: GitLabSite, job_id: int, token: str, file: bytes | None, given: dict[str, Any]) -> Response:
    with site.store.transaction():
        job = running(site, job_id, token)
        if job is None:
            return JSONResponse({"message": "403 Forbidden  - Job is not running"}, 403)
        if file is None:
            return JSONResponse({"error": "file is missing"}, 400)
        if len(file) > _LARGEST:
            return JSONResponse({"message": "413 file size has reached maximum size limit"}, 413)
        try:
            ci_artifacts.add(site, job, file, {name: str(value) for name, value in given.items()})
        except ci_artifacts.ArtifactError as error:
            return JSONResponse({"message": f"400 Bad request - {error}"}, 400)
    return PlainTextResponse("201", 201)


@router.fastapi.get("/jobs/{job_id}/artifacts", operation_id="get_jobs_job_id_artifacts")
@needed_by(Need.PIPELINE)
async def download_artifacts(request: Request, job_id: str) -> Response:
    """Return a job's archive, to a runner with the token of that job or of a running job whose user may read it."""
    token = request.headers.get("job-token") or request.query_params.get("token") or ""
    return await run_in_threadpool(_download, request.app.state.site, _number(job_id), token)


def _download(site: GitLabSite, job_id: int, token: str) -> Response:
    job = site.store.get("job", job_id)
    actor = ci_tokens.actor(site, token)
    project = site.store.get("project", job["project_id"]) if job is not None else None
    if job is None or project is None:
        return JSONResponse({"message": "403 Forbidden"}, 403)
    own = job["token_digest"] == digest(token)
    reads = actor is not None and access.project_level(site, actor, project) >= access.REPORTER
    if not own and not reads:
        return JSONResponse({"message": "403 Forbidden"}, 403)
    archive = ci_artifacts.archive_of(site, job)
    if archive is None:
        return JSONResponse({"message": "404 Not found"}, 404)
    return FileResponse(
        ci_artifacts.path_of(site, archive), media_type="application/octet-stream", filename=archive["filename"]
    )


@router.get("/projects/{id}/jobs/{job_id}/artifacts", job_token=True, anonymous=True)
@needed_by(Need.PIPELINE)
def get_artifacts(call: Call, id: str, job_id: int) -> Response:
    """Return a job's archive, if the job's `artifacts:access` allows it to the caller."""
    archive = _allowed(call, id, job_id)
    return FileResponse(
        ci_artifacts.path_of(call.site, archive), media_type="application/octet-stream", filename=archive["filename"]
    )


def _allowed(call: Call, id_: str, job_id: int) -> Document:
    """Return the archive of a job that the caller may read."""
    project = call.ci_project(id_)
    job = call.store.get("job", job_id)
    if job is None or job["project_id"] != project["id"]:
        raise not_found()
    archive = ci_artifacts.archive_of(call.site, job)
    if archive is None:
        raise not_found()
    least = {"developer": access.DEVELOPER, "maintainer": access.MAINTAINER}.get(archive["access"], access.REPORTER)
    level = call.project_level(project)
    guest = archive["access"] == "all" and project["visibility"] != "private"
    if archive["access"] == "none" or (level < least and not guest):
        raise unauthorized() if call.actor is None else forbidden()
    return archive
