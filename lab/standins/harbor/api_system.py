"""The system as a whole: health, information, configuration, garbage collection, allowlist, audit."""

from __future__ import annotations

import json
import shutil
from typing import Annotated, Any, Final

from fastapi import Body
from starlette.responses import PlainTextResponse, Response

from lab.standins.harbor import bodies, cron, errors, settings
from lab.standins.harbor.call import Asking, Call, Id, Pages, Router, done
from lab.standins.harbor.site import VERSION, now
from lab.standins.store import Document

router: Final = Router(tags=["system", "configure", "health"])

_COMPONENTS: Final = ("core", "database", "jobservice", "portal", "redis", "registry", "registryctl", "trivy")
_SCHEDULES: Final = ("Hourly", "Daily", "Weekly", "Custom")
_MOST_WORKERS: Final = 10
_JSON_TYPES: Final[dict[str, type | tuple[type, ...]]] = {"bool": bool, "int": int, "quota": int, "scope": int}


@router.get("/health")
def get_health(call: Asking) -> dict[str, Any]:
    """Tell whether the components work."""
    healthy = call.request.app.state.registry_answers()
    states = {name: healthy if name.startswith("registry") else True for name in _COMPONENTS}
    components = [
        {"name": name, "status": "healthy"} if good
        else {"name": name, "status": "unhealthy", "error": "the registry does not answer"}
        for name, good in states.items()
    ]  # fmt: skip
    return {"status": "healthy" if all(states.values()) else "unhealthy", "components": components}


@router.get("/ping")
def ping(call: Asking) -> Response:  # noqa: ARG001 - every handler has one
    """Answer."""
    return PlainTextResponse("Pong")


@router.get("/systeminfo")
def get_system_info(call: Asking) -> dict[str, Any]:
    """Show what everybody may know, and more to who is logged in."""
    value = call.site.settings.get
    body: dict[str, Any] = {
        "auth_mode": value("auth_mode"),
        "primary_auth_mode": value("primary_auth_mode"),
        "self_registration": value("self_registration"),
        "banner_message": value("banner_message"),
        "oidc_provider_name": value("oidc_name") if value("auth_mode") == "oidc_auth" else "",
    }
    if call.principal.known:
        body.update(
            current_time=now(),
            external_url=call.site.url,
            registry_url=call.site.url.partition("://")[2],
            project_creation_restriction=value("project_creation_restriction"),
            has_ca_root=False,
            harbor_version=VERSION,
            registry_storage_provider_name="filesystem",
            read_only=value("read_only"),
            notification_enable=value("notification_enable"),
        )
    return body


@router.get("/systeminfo/volumes")
def get_volumes(call: Asking) -> dict[str, Any]:
    """Show the room on disk."""
    call.require_system("read", "system-volumes")
    usage = shutil.disk_usage(call.site.configuration.data)
    return {"storage": [{"total": usage.total, "free": usage.free}]}


@router.get("/systeminfo/getcert")
def get_certificate(call: Asking) -> Response:  # noqa: ARG001 - every handler has one
    """There is no certificate of a root authority."""
    raise errors.not_found("ca certificate file")


# -- configuration -----------------------------------------------------------------------------------------------------


@router.get("/configurations")
def get_configuration(call: Asking) -> dict[str, Any]:
    """Show the configuration, without its secrets."""
    call.require_system("read", "configuration")
    return call.site.settings.shown(mode_editable=call.site.mode_editable())


@router.put("/configurations")
def update_configuration(call: Asking, body: Annotated[dict[str, Any], Body()]) -> Response:
    """Change the items given; unknown ones are ignored."""
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
    call.audit("update", "configuration", "configuration")
    return done()


@router.post("/system/oidc/ping")
def ping_oidc(call: Asking, body: Annotated[dict[str, Any], Body()]) -> Response:
    """Check an OIDC provider's address; only its form, unless it is this machine's."""
    call.require_system("update", "configuration")
    if not str(body.get("url", "")).startswith(("http://", "https://")):
        raise errors.bad_request("failed to verify connection: invalid URL")
    return done()


@router.get("/system/CVEAllowlist")
def get_allowlist(call: Asking) -> dict[str, Any]:
    """Show the vulnerabilities exempted everywhere."""
    call.require_login()
    known = call.store.get("allowlist", 1) or {"items": [], "created": now()}
    body = {"items": known["items"], "creation_time": known["created"], "update_time": known.get("updated", now())}
    return {**body, **({"id": 1} if "updated" in known else {}),
            **({"expires_at": known["expires_at"]} if known.get("expires_at") is not None else {})}  # fmt: skip


@router.put("/system/CVEAllowlist")
def update_allowlist(call: Asking, body: bodies.Allowlist) -> Response:
    """Replace the vulnerabilities exempted everywhere."""
    call.require_system("update", "configuration")
    names = [item.cve_id or "" for item in body.items or []]
    if "" in names or len(set(names)) != len(names):
        raise errors.bad_request("duplicate or empty CVE ID in the allowlist")
    known = call.store.get("allowlist", 1) or {"created": now()}
    items = [{"cve_id": name} for name in names]
    call.store.put("allowlist", {**known, "id": 1, "items": items, "expires_at": body.expires_at, "updated": now()})
    return done()


# -- garbage collection ------------------------------------------------------------------------------------------------


@router.get("/system/gc/schedule")
def get_gc_schedule(call: Asking) -> Response:
    """Show the schedule; an empty answer where there is none."""
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


def _kick(call: Call, body: bodies.ScheduleBody) -> int:
    """Set or drop the schedule, or collect now. Returns the number of the run, or 0."""
    when = body.schedule or bodies.When()
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
        call.request.app.state.collect_garbage()
        return int(call.store.add("gc_run", {"parameters": parameters, "time": now()})["id"])
    if kind == "None":
        call.store.remove("gc_schedule", 1)
    elif kind in _SCHEDULES:
        if problem := cron.problem(text):
            raise errors.bad_request(f"invalid cron string for scheduled gc: {text}, error: {problem}")
        kept = {"id": 1, "type": kind, "cron": text, "parameters": {**parameters, "time_window": 2}}
        call.store.put("gc_schedule", {**kept, "created": now(), "updated": now()})
    else:
        raise errors.unprocessable(f"schedule.type in body should be one of {[*_SCHEDULES, 'Manual', 'None']}")
    return 0


@router.post("/system/gc/schedule", status_code=201)
def create_gc_schedule(call: Asking, body: bodies.ScheduleBody) -> Response:
    """Set the schedule, or collect now (Manual)."""
    call.require_system("create", "garbage-collection")
    return call.created(_kick(call, body), under="/api/v2.0/system/gc")


@router.put("/system/gc/schedule")
def update_gc_schedule(call: Asking, body: bodies.ScheduleBody) -> Response:
    """Set, change or drop (None) the schedule."""
    call.require_system("update", "garbage-collection")
    _kick(call, body)
    return done()


def _run(run: Document) -> dict[str, Any]:
    return {
        "id": run["id"], "job_name": "GARBAGE_COLLECTION", "job_kind": "MANUAL", "job_status": "Success",
        "job_parameters": json.dumps(run["parameters"]), "schedule": {"type": "Manual"}, "deleted": False,
        "creation_time": run["time"], "update_time": run["time"],
    }  # fmt: skip


@router.get("/system/gc")
def list_gc(call: Asking, paging: Pages) -> Response:
    """List the runs, the last first."""
    call.require_system("list", "garbage-collection")
    return call.page(reversed(call.store.find("gc_run")), paging, _run)


def _known_run(call: Call, id_: int) -> Document:
    call.require_system("read", "garbage-collection")
    found = call.store.get("gc_run", id_)
    if found is None:
        raise errors.not_found(f"execution {id_}")
    return found


@router.get("/system/gc/{gc_id}")
def get_gc(call: Asking, gc_id: Id) -> dict[str, Any]:
    """Show a run."""
    return _run(_known_run(call, gc_id))


@router.get("/system/gc/{gc_id}/log")
def get_gc_log(call: Asking, gc_id: Id) -> Response:
    """Show the log of a run."""
    return PlainTextResponse(f"garbage collection {_known_run(call, gc_id)['id']} done\n")


# -- audit -------------------------------------------------------------------------------------------------------------


def _entry(entry: Document) -> dict[str, Any]:
    return {key: entry[key] for key in ("id", "username", "resource", "resource_type", "operation", "op_time")}


@router.get("/audit-logs")
def list_audit_logs(call: Asking, paging: Pages) -> Response:
    """List who did what, the last first: everywhere, or in projects the principal rules."""
    call.require_login()
    entries = reversed(call.store.find("audit"))
    if not call.may_system("list", "audit-log"):
        mine = {item["id"] for item in call.store.find("project") if call.principal.may(item, "list", "log")}
        entries = (entry for entry in entries if entry["project_id"] in mine)
    return call.page(entries, paging, _entry)


@router.get("/projects/{project_name}/logs")
def list_project_logs(call: Asking, project_name: str, paging: Pages) -> Response:
    """List who did what in a project, the last first."""
    project = call.project(project_name, "list", "log")
    return call.page(reversed(call.store.find("audit", project_id=project["id"])), paging, _entry)
