# ruff: noqa: ANN401 - JSON answers have any type
"""Pipelines: list, read, create, retry, cancel; running schedules."""

from __future__ import annotations

from typing import Any, Literal

from lab.standins.gitlab import access, ci_jobs, ci_pipelines, git_push, users
from lab.standins.gitlab.ci_pipelines import NoPipelineError, PipelineRequest
from lab.standins.gitlab.errors import forbidden, invalid, not_found
from lab.standins.gitlab.params import Bool, Hash, Hashes, Moment, Paging, Params, Text
from lab.standins.gitlab.repositories import repository
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("pipelines")

_STATUSES = Literal[
    "created", "waiting_for_resource", "preparing", "pending", "running", "success", "failed", "canceled", "skipped",
    "manual", "scheduled", "canceling",
]  # fmt: skip


class PipelineFilter(Paging):
    """Filter and order of pipelines."""

    scope: Literal["running", "pending", "finished", "branches", "tags"] | None = None
    status: _STATUSES | None = None
    ref: Text = None
    sha: Text = None
    source: Text = None
    username: Text = None
    name: Text = None
    yaml_errors: Bool = None
    updated_after: Moment = None
    updated_before: Moment = None
    created_after: Moment = None
    created_before: Moment = None
    order_by: Literal["id", "status", "ref", "updated_at", "user_id"] = "id"
    sort: Literal["asc", "desc"] = "desc"


class NewPipeline(Params):
    """Parameters of a new pipeline."""

    ref: str
    variables: Hashes = None
    inputs: Hash = None


def basic(site: GitLabSite, pipeline: Document) -> Document:
    """Return a pipeline as shown in lists."""
    project = site.store.get("project", pipeline["project_id"]) or {}
    return {
        **{name: pipeline[name] for name in ("id", "iid", "project_id", "sha")},
        "ref": pipeline["git_ref"] if pipeline["merge_request_id"] else pipeline["ref"],
        **{name: pipeline[name] for name in ("status", "source", "created_at", "updated_at")},
        "web_url": f"{site.url}/{project.get('full_path')}/-/pipelines/{pipeline['id']}",
        "name": pipeline["name"],
    }


def whole(site: GitLabSite, pipeline: Document) -> Document:
    """Return a pipeline as shown alone."""
    user = site.store.get("user", pipeline["user_id"])
    status = pipeline["status"]
    shown = basic(site, pipeline)
    text = "passed" if status == "success" else status
    path = shown["web_url"].removeprefix(site.url)
    return {
        **shown,
        "before_sha": pipeline["before_sha"],
        "tag": pipeline["tag"],
        "yaml_errors": pipeline["yaml_errors"],
        "user": users.basic(site, user) if user else None,
        "started_at": pipeline["started_at"],
        "finished_at": pipeline["finished_at"],
        "committed_at": None,
        "duration": _whole_seconds(pipeline["started_at"], pipeline["finished_at"]),
        "queued_duration": _whole_seconds(pipeline["created_at"], pipeline["started_at"]),
        "coverage": _coverage(site, pipeline),
        "archived": False,
        "detailed_status": {
            "icon": f"status_{status}",
            "text": text.capitalize(),
            "label": text,
            "group": status,
            "tooltip": text,
            "has_details": True,
            "details_path": path,
            "illustration": None,
            "favicon": f"/assets/ci_favicons/favicon_status_{status}.png",
        },
    }


def _whole_seconds(start: str | None, end: str | None) -> int | None:
    found = ci_jobs.seconds(start, end)
    return None if found is None else int(found)


def _coverage(site: GitLabSite, pipeline: Document) -> str | None:
    """Return the mean of the jobs' coverage."""
    found = [one["coverage"] for one in ci_jobs.of_pipeline(site, pipeline) if one.get("coverage") is not None]
    return f"{sum(found) / len(found):.2f}" if found else None


def find(call: Call, id_: str, pipeline_id: int, level: int = access.REPORTER) -> tuple[Document, Document]:
    """Return a project and one of its pipelines."""
    project = call.project(id_, level)
    found = call.store.get("pipeline", pipeline_id)
    if found is None or found["project_id"] != project["id"]:
        raise not_found()
    return project, found


@router.get("/projects/{id}/pipelines", anonymous=True)
@needed_by(Need.PIPELINE, Need.WAVES)
def list_pipelines(call: Call, id: str, given: PipelineFilter) -> Any:
    """List the pipelines of a project, newest first; child pipelines only if asked for."""
    project = call.project(id, access.REPORTER)
    user = call.store.first("user", username_key=given.username.lower()) if given.username else None

    def wanted(one: Document) -> bool:
        shown = basic(call.site, one)
        scopes = {
            "running": one["status"] == "running",
            "pending": one["status"] == "pending",
            "finished": one["status"] in ci_jobs.DONE - {"skipped"},
            "branches": not one["tag"],
            "tags": one["tag"],
        }
        return (
            (one["source"] != "parent_pipeline" or given.source == "parent_pipeline")
            and (given.scope is None or scopes[given.scope])
            and all(getattr(given, name) in {None, shown[name]} for name in ("status", "sha", "source", "name"))
            # Also those of merge requests from this branch (PipelineRefFilterIncludingReservedRefNames).
            and given.ref in {None, shown["ref"], one["ref"]}
            and (given.updated_after or "") <= one["updated_at"] <= (given.updated_before or "9")
            and (given.created_after or "") <= one["created_at"] <= (given.created_before or "9")
            and (given.username is None or (user is not None and one["user_id"] == user["id"]))
            and (given.yaml_errors is None or bool(one["yaml_errors"]) is given.yaml_errors)
        )

    found = [one for one in call.store.find("pipeline", project_id=project["id"]) if wanted(one)]
    by = given.order_by
    found.sort(
        key=lambda one: (str(one[by]) if by not in {"id", "user_id"} else one[by], one["id"]),
        reverse=given.sort == "desc",
    )
    return call.page(found, given, lambda one: basic(call.site, one))


@router.post("/projects/{id}/pipeline")
@needed_by(Need.PIPELINE, trace="pipelines")
def create_pipeline(call: Call, id: str, given: NewPipeline) -> Any:
    """Run a pipeline on a branch or tag."""
    project = call.project(id, access.DEVELOPER)
    return run(call, project, given.ref, "api", _variables(given.variables))


def _variables(given: list[Document] | None) -> list[Document]:
    for one in given or []:
        if not isinstance(one.get("key"), str) or not one["key"]:
            raise invalid(base=["Variables key can't be blank"])
        if one.get("variable_type") not in {None, "env_var", "file"}:
            raise invalid(base=["variable_type does not have a valid value"])
    return [{**one, "value": one.get("value", "")} for one in given or []]


def _full_ref(call: Call, project: Document, name: str) -> tuple[str, str]:
    """Return the full name and the commit of a branch or tag. Raises 400 if there is none."""
    repo = repository(call.site, project)
    refs = [name] if name.startswith(("refs/heads/", "refs/tags/")) else [f"refs/heads/{name}", f"refs/tags/{name}"]
    for ref in refs:
        sha = repo.resolve(ref)
        if sha is not None and repo.ref(ref) is not None:
            return ref, sha
    raise invalid(base=["Reference not found"])


def run(call: Call, project: Document, name: str, source: str, variables: list[Document], **more: Any) -> Any:
    """Run a pipeline on a branch or tag; `more` are further fields of `PipelineRequest`. Raises 400 if nothing runs."""
    ref, sha = _full_ref(call, project, name)
    actor = call.actor if "actor" not in more else more.pop("actor")
    assert actor is not None  # noqa: S101 - a level was asked for
    wanted = PipelineRequest(source, ref, sha, actor, variables=variables, keep_errors=False, heed_skip=False, **more)
    try:
        made = ci_pipelines.create(call.site, project, wanted)
    except NoPipelineError as error:
        raise invalid(base=[str(one) for one in error.args]) from None
    return whole(call.site, made)


@router.get("/projects/{id}/pipelines/{pipeline_id}", anonymous=True)
@needed_by(Need.PIPELINE, Need.WAVES)
def get_pipeline(call: Call, id: str, pipeline_id: int) -> Any:
    """Return one pipeline."""
    return whole(call.site, find(call, id, pipeline_id)[1])


@router.post("/projects/{id}/pipelines/{pipeline_id}/cancel", status=200)
@needed_by(Need.PIPELINE)
def cancel_pipeline(call: Call, id: str, pipeline_id: int) -> Any:
    """Cancel the jobs of a pipeline that have not ended."""
    _, pipeline = find(call, id, pipeline_id, access.DEVELOPER)
    for job in ci_jobs.of_pipeline(call.site, pipeline):
        if job["status"] in ci_jobs.ACTIVE | {"manual"}:
            call.store.put("job", {**job, "status": "canceled", "finished_at": now()})
    return whole(call.site, ci_jobs.advance(call.site, pipeline["id"]))


# Schedules ------------------------------------------------------------------------------------------------------------


@router.post("/projects/{id}/pipeline_schedules/{schedule_id}/play")
@needed_by(Need.PIPELINE, Need.ISOLATION)
def play_schedule(call: Call, id: str, schedule_id: int) -> Any:
    """Run a schedule's pipeline now, as the caller: on a protected ref, only users who may write to the ref."""
    project = call.ci_project(id, access.DEVELOPER)
    schedule = call.store.get("schedule", schedule_id)
    if schedule is None or schedule["project_id"] != project["id"]:
        raise not_found("Pipeline Schedule")
    if not git_push.can_run(call.site, call.actor, project, schedule["ref"]):
        raise forbidden()
    variables = [{**one, "value": call.site.unseal(one["sealed"])} for one in schedule["variables"]]
    assert call.actor is not None  # noqa: S101 - a developer
    repo = repository(call.site, project)
    sha = repo.resolve(schedule["ref"])
    if sha is not None:
        made = ci_pipelines.attempt(
            call.site,
            project,
            PipelineRequest(
                "schedule", schedule["ref"], sha, call.actor, variables=variables, heed_skip=False, schedule=schedule
            ),
        )
        if made is not None:
            last = {name: basic(call.site, made)[name] for name in ("id", "sha", "ref", "status")}
            call.store.put("schedule", {**schedule, "last_pipeline": last})
    return {"message": "201 Created"}
