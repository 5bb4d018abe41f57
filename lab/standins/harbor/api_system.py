"""System configuration, and the schedule of the garbage collection, which is stored but never runs."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from fastapi import Body
from starlette.responses import PlainTextResponse, Response

from lab.standins.harbor import bodies, cron, errors, settings
from lab.standins.harbor.call import Asking, HarborCall, HarborRouter, done
from lab.standins.harbor.site import now
from lab.standins.needs import Need, needed_by

router: Final = HarborRouter(tags=["system", "configure"])

_SCHEDULES: Final = ("Hourly", "Daily", "Weekly", "Custom")
_MOST_WORKERS: Final = 10
_JSON_TYPES: Final[dict[str, type | tuple[type, ...]]] = {"bool": bool, "int": int, "quota": int, "scope": int}


@router.get("/ping")
@needed_by(Need.LAB)
def ping(call: Asking) -> Response:  # noqa: ARG001 - every handler has one
    """Answer Pong."""
    return PlainTextResponse("Pong")


# -- configuration -----------------------------------------------------------------------------------------------------


@router.get("/configurations")
@needed_by(Need.PLUGINS, Need.PEOPLE)
def get_configuration(call: Asking) -> dict[str, Any]:
    """Return the configuration, without secrets."""
    call.require_system("read", "configuration")
    return call.site.settings.shown(mode_editable=call.site.mode_editable())


@router.put("/configurations")
@needed_by(Need.PLUGINS)
def update_configuration(call: Asking, body: Annotated[dict[str, Any], Body()]) -> Response:
    """Update the given items; unknown ones are ignored."""
    call.require_system("update", "configuration")
    for name, value in body.items():
        item = settings.ITEMS.get(name)
        if item is None or value is None:
            continue
        wanted = _JSON_TYPES.get(item.kind, str)
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise errors.bad_request(f"parsing configurations body failed: {name} is of the wrong type")
        if isinstance(value, int) and abs(value) >= 2**63:
            raise errors.bad_request(f"parsing configurations body failed: {name} is out of range")
    call.site.settings.update(body, mode_editable=call.site.mode_editable())
    return done()


# -- garbage collection ------------------------------------------------------------------------------------------------


@router.get("/system/gc/schedule")
@needed_by(Need.PLUGINS)
def get_gc_schedule(call: Asking) -> Response:
    """Return the schedule; the answer is empty if there is none."""
    call.require_system("read", "garbage-collection")
    known = call.store.get("gc_schedule", 1)
    if known is None:
        return done()
    body = {
        "id": 1, "job_kind": known["cron"], "job_parameters": json.dumps(known["parameters"]), "job_status": "",
        "schedule": {"type": known["type"], "cron": known["cron"], "next_scheduled_time": now()},
        "deleted": False, "creation_time": known["created"], "update_time": known["updated"],
    }  # fmt: skip
    return Response(json.dumps(body), media_type="application/json")


def _keep(call: HarborCall, body: bodies.ScheduleBody) -> None:
    """Set or delete the schedule. An immediate collection (Manual) is not supported by this stand-in."""
    when = body.schedule or bodies.ScheduleTypeBody()
    parameters = {key: value for key, value in (body.parameters or {}).items() if key != "redis_url_reg"}
    workers = parameters.get("workers")
    if isinstance(workers, float):
        raise errors.bad_request("workers should be integer format")
    if isinstance(workers, int) and not isinstance(workers, bool) and not 0 < workers <= _MOST_WORKERS:
        raise errors.bad_request(
            f"Error: Invalid number of workers:{workers}. Workers must be greater than 0 and less than or equal to 10."
        )
    kind, text = when.type or "", when.cron or ""
    if kind == "Manual":
        raise errors.HarborError("METHOD_NOT_ALLOWED", "collecting garbage is not supported by this stand-in")
    if kind == "None":
        call.store.remove("gc_schedule", 1)
    elif kind in _SCHEDULES:
        if problem := cron.problem(text):
            raise errors.bad_request(f"invalid cron string for scheduled gc: {text}, error: {problem}")
        kept = {"id": 1, "type": kind, "cron": text, "parameters": {**parameters, "time_window": 2}}
        call.store.put("gc_schedule", {**kept, "created": now(), "updated": now()})
    else:
        raise errors.unprocessable(f"schedule.type in body should be one of {[*_SCHEDULES, 'Manual', 'None']}")


@router.post("/system/gc/schedule", status_code=201)
@needed_by(Need.PLUGINS)
def create_gc_schedule(call: Asking, body: bodies.ScheduleBody) -> Response:
    """Set the schedule."""
    call.require_system("create", "garbage-collection")
    _keep(call, body)
    return call.created(0, under="/api/v2.0/system/gc")


@router.put("/system/gc/schedule")
@needed_by(Need.PLUGINS)
def update_gc_schedule(call: Asking, body: bodies.ScheduleBody) -> Response:
    """Set, change or delete (None) the schedule."""
    call.require_system("update", "garbage-collection")
    _keep(call, body)
    return done()
