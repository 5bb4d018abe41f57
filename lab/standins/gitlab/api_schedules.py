# ruff: noqa: ANN401 - JSON answers have any type
"""Pipeline schedules and their variables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from lab.standins.gitlab import access, ci_pipelines, git_push, users, variables
from lab.standins.gitlab.cron import CronError, next_run, zone
from lab.standins.gitlab.errors import forbidden, invalid, not_found
from lab.standins.gitlab.params import Bool, Hashes, Paging, Params, Text
from lab.standins.gitlab.routing import Call, Router
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("pipeline schedules")


class NewSchedule(Params):
    """Parameters of a new schedule."""

    description: str
    ref: str
    cron: str
    cron_timezone: Text = None
    active: Bool = None
    inputs: Hashes = None


class ChangedSchedule(Params):
    """Parameters of an update."""

    description: Text = None
    ref: Text = None
    cron: Text = None
    cron_timezone: Text = None
    active: Bool = None
    inputs: Hashes = None


class ScheduleFilter(Paging):
    """Filter of schedules."""

    scope: Literal["active", "inactive"] | None = None


class NewScheduleVariable(Params):
    """Parameters of a new variable."""

    key: str
    value: str
    variable_type: Literal["env_var", "file"] | None = None


class ChangedScheduleVariable(Params):
    """Parameters of an update."""

    value: Text = None
    variable_type: Literal["env_var", "file"] | None = None


def _shown(call: Call, one: Document, *, whole: bool = True) -> Document:
    owner = call.store.get("user", one["owner_id"])
    names = ("id", "description", "ref", "cron", "cron_timezone", "next_run_at", "active", "created_at", "updated_at")
    shown = {**{name: one[name] for name in names}, "owner": users.basic(call.site, owner) if owner else None}
    if whole:
        shown |= {"last_pipeline": one.get("last_pipeline"), "inputs": one["inputs"]}
        mine = call.is_admin or one["owner_id"] == call.user["id"]
        level = call.project_level(call.store.get("project", one["project_id"]) or {})
        if mine or level >= access.MAINTAINER:
            shown["variables"] = [_variable(call.site, line) for line in one["variables"]]
    return shown


def _variable(site: GitLabSite, line: Document) -> Document:
    value = site.unseal(line["sealed"])
    return {"variable_type": line["variable_type"], "key": line["key"], "value": value, "raw": False}


def _one(call: Call, project: Document, id_: int) -> Document:
    found = call.store.get("schedule", id_)
    if found is None or found["project_id"] != project["id"]:
        raise not_found("Pipeline Schedule")
    return found


def _administrable(call: Call, id_: str, schedule_id: int) -> tuple[Document, Document]:
    """Return a project and one of its schedules. Raises 403 unless the caller owns it or is a maintainer."""
    project = call.ci_project(id_, access.DEVELOPER)
    one = _one(call, project, schedule_id)
    if one["owner_id"] != call.user["id"] and call.project_level(project) < access.MAINTAINER:
        raise forbidden()
    return project, one


def _editable(call: Call, id_: str, schedule_id: int) -> tuple[Document, Document]:
    """Return the same. Raises 403 unless the caller owns it or administers GitLab: its pipelines run as the owner."""
    project = call.ci_project(id_, access.DEVELOPER)
    one = _one(call, project, schedule_id)
    if one["owner_id"] != call.user["id"] and not call.is_admin:
        raise forbidden()
    return project, one


def _check_ref(call: Call, project: Document, ref: str, doing: str) -> None:
    if not git_push.can_run(call.site, call.actor, project, ref):
        raise invalid(base=[f"The current user is not authorized to {doing} the pipeline schedule"])


def _check_variables(call: Call, project: Document) -> None:
    if call.actor is None or not ci_pipelines.may_set_variables(call.site, call.actor, project):
        raise invalid(base=["The current user is not authorized to set pipeline schedule variables"])


def _full_ref(call: Call, project: Document, ref: str) -> str:
    """Return a full ref, such as `refs/heads/main` for `main`. Raises 400 for an empty or ambiguous name."""
    if ref.startswith(("refs/heads/", "refs/tags/")):
        return ref
    if not ref.strip():
        raise invalid(ref=["can't be blank"])
    repositories = call.site.repositories
    branches = repositories.branches(project) if repositories else []
    tags = repositories.tags(project) if repositories else []
    if ref in branches and ref in tags:
        raise invalid(ref=["is ambiguous"])
    return f"refs/{'tags' if ref in tags else 'heads'}/{ref}"


def _timed(one: Document) -> Document:
    wrong: dict[str, list[str]] = {}
    try:
        zone(one["cron_timezone"])
    except CronError:
        wrong["cron_timezone"] = ["syntax is invalid"]
    try:
        moment = next_run(one["cron"], "UTC" if wrong else one["cron_timezone"], datetime.now(UTC))
    except CronError:
        wrong["cron"] = ["syntax is invalid"]
    if not one["description"].strip():
        wrong["description"] = ["can't be blank"]
    if wrong:
        raise invalid(**wrong)
    return {**one, "next_run_at": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")}


def _inputs(current: list[Document], given: list[Document] | None) -> list[Document]:
    kept = {one["name"]: one for one in current}
    for one in given or []:
        name = str(one.get("name", ""))
        if str(one.get("destroy")).lower() in {"true", "1"}:
            kept.pop(name, None)
        elif name:
            kept[name] = {"name": name, "value": one.get("value")}
    return list(kept.values())


@router.get("/projects/{id}/pipeline_schedules")
@needed_by(Need.LOOKUP, Need.INVENTORY)
def list_schedules(call: Call, id: str, given: ScheduleFilter) -> Any:
    """List the schedules of a project."""
    project = call.ci_project(id, access.REPORTER)
    found = call.store.find("schedule", project_id=project["id"])
    kept = [one for one in found if given.scope is None or one["active"] is (given.scope == "active")]
    return call.page(kept, given, lambda one: _shown(call, one, whole=False))


@router.get("/projects/{id}/pipeline_schedules/{schedule_id}")
@needed_by(Need.PLUGINS, Need.LOOKUP, Need.INVENTORY)
def get_schedule(call: Call, id: str, schedule_id: int) -> Any:
    """Return one schedule with its variables."""
    return _shown(call, _one(call, call.ci_project(id, access.REPORTER), schedule_id))


@router.post("/projects/{id}/pipeline_schedules")
@needed_by(Need.PLUGINS)
def create_schedule(call: Call, id: str, given: NewSchedule) -> Any:
    """Create a schedule that the caller owns."""
    project = call.ci_project(id, access.DEVELOPER)
    _check_ref(call, project, _full_ref(call, project, given.ref), "create")
    one = _timed(
        {
            "project_id": project["id"],
            "owner_id": call.user["id"],
            "description": given.description,
            "ref": _full_ref(call, project, given.ref),
            "cron": given.cron,
            "cron_timezone": given.cron_timezone or "UTC",
            "active": given.active is not False,
            "inputs": _inputs([], given.inputs),
            "variables": [],
            "created_at": now(),
            "updated_at": now(),
        }
    )
    return _shown(call, call.store.add("schedule", one))


@router.put("/projects/{id}/pipeline_schedules/{schedule_id}")
@needed_by(Need.PLUGINS)
def update_schedule(call: Call, id: str, schedule_id: int, given: ChangedSchedule) -> Any:
    """Update a schedule."""
    project, one = _editable(call, id, schedule_id)
    sent = {name: value for name, value in given.sent("inputs").items() if value is not None}
    changed = {**one, **sent, "inputs": _inputs(one["inputs"], given.inputs), "updated_at": now()}
    if given.ref is not None:
        changed["ref"] = _full_ref(call, project, given.ref)
    _check_ref(call, project, changed["ref"], "update")
    changed = _timed(changed)
    call.store.put("schedule", changed)
    return _shown(call, changed)


@router.post("/projects/{id}/pipeline_schedules/{schedule_id}/take_ownership")
@needed_by(Need.PLUGINS)
def take_ownership(call: Call, id: str, schedule_id: int) -> Any:
    """Make the caller the owner, as whom its pipelines run."""
    _, one = _administrable(call, id, schedule_id)
    one = {**one, "owner_id": call.user["id"], "updated_at": now()}
    call.store.put("schedule", one)
    return _shown(call, one)


@router.delete("/projects/{id}/pipeline_schedules/{schedule_id}")
@needed_by(Need.PLUGINS, Need.INVENTORY)
def delete_schedule(call: Call, id: str, schedule_id: int) -> None:
    """Delete a schedule."""
    call.store.remove("schedule", _administrable(call, id, schedule_id)[1]["id"])


@router.post("/projects/{id}/pipeline_schedules/{schedule_id}/variables")
@needed_by(Need.PLUGINS)
def create_schedule_variable(call: Call, id: str, schedule_id: int, given: NewScheduleVariable) -> Any:
    """Create a variable."""
    project, one = _editable(call, id, schedule_id)
    _check_variables(call, project)
    if wrong := variables.errors(given.key, given.value, masked=False, raw=False):
        raise invalid(**wrong)
    if any(line["key"] == given.key for line in one["variables"]):
        raise invalid(key=["has already been taken"])
    kind = given.variable_type or "env_var"
    line = {"key": given.key, "sealed": call.site.seal(given.value), "variable_type": kind}
    call.store.put("schedule", {**one, "variables": [*one["variables"], line]})
    return _variable(call.site, line)


def _line(one: Document, key: str) -> Document:
    found = next((line for line in one["variables"] if line["key"] == key), None)
    if found is None:
        raise not_found("Variable")
    return dict(found)


@router.put("/projects/{id}/pipeline_schedules/{schedule_id}/variables/{key}")
@needed_by(Need.PLUGINS)
def update_schedule_variable(call: Call, id: str, schedule_id: int, key: str, given: ChangedScheduleVariable) -> Any:
    """Update a variable."""
    project, one = _editable(call, id, schedule_id)
    _check_variables(call, project)
    line = _line(one, key)
    if given.value is not None:
        line["sealed"] = call.site.seal(given.value)
    line["variable_type"] = given.variable_type or line["variable_type"]
    lines = [line if other["key"] == key else other for other in one["variables"]]
    call.store.put("schedule", {**one, "variables": lines})
    return _variable(call.site, line)


@router.delete("/projects/{id}/pipeline_schedules/{schedule_id}/variables/{key}", status=202)
@needed_by(Need.PLUGINS, Need.INVENTORY)
def delete_schedule_variable(call: Call, id: str, schedule_id: int, key: str) -> Any:
    """Delete a variable and return it."""
    _, one = _administrable(call, id, schedule_id)
    line = _line(one, key)
    call.store.put("schedule", {**one, "variables": [other for other in one["variables"] if other["key"] != key]})
    return _variable(call.site, line)
