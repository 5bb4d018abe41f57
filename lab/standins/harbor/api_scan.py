"""Scanners, which one a project uses, and the scan of everything with its schedule."""

from __future__ import annotations

import uuid
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response

from lab.standins.harbor import bodies, cron, errors, scanning
from lab.standins.harbor.call import Asking, Call, NameOrId, Pages, Router, done
from lab.standins.harbor.site import now
from lab.standins.store import Document

router: Final = Router(tags=["scanner", "scanAll"])

_SCHEDULES: Final = ("Hourly", "Daily", "Weekly", "Custom")
_CREDENTIALED: Final = ("Basic", "Bearer", "X-ScannerAdapter-API-Key")
_SCAN_ALL: Final = 1


def shown_scanner(scanner: Document) -> dict[str, Any]:
    """Return a scanner as the API shows it: its credential never."""
    return {
        "uuid": scanner["uuid"],
        "name": scanner["name"],
        "description": scanner["description"],
        "url": scanner["url"],
        "disabled": bool(scanner.get("disabled")),
        "is_default": bool(scanner["is_default"]),
        "auth": scanner["auth"],
        "access_credential": "",
        "skip_certVerify": bool(scanner.get("skip_certVerify")),
        "use_internal_addr": bool(scanner["use_internal_addr"]),
        "create_time": scanner["created"],
        "update_time": scanner.get("updated", scanner["created"]),
        "adapter": scanner["name"],
        "vendor": "Aqua Security" if scanner.get("immutable") else "",
        "version": "stand-in",
        "health": "healthy",
        "capabilities": {"support_vulnerability": True, "support_sbom": False},
    }


def _scanner(call: Call, id_: str) -> Document:
    found = call.store.first("scanner", uuid=id_)
    if found is None:
        raise errors.not_found(f"scanner {id_}")
    return found


def _checked(call: Call, body: bodies.ScannerBody, ours: int = 0) -> dict[str, Any]:
    if not body.name:
        raise errors.bad_request("missing registration name")
    try:
        good = urlsplit(body.url).scheme in ("http", "https") and bool(urlsplit(body.url).hostname)
    except ValueError:
        good = False
    if not good:
        raise errors.bad_request(f"scanner registration validate: checkURL: invalid URL: {body.url}")
    auth = body.auth or ""
    if auth not in ("", *_CREDENTIALED):
        raise errors.bad_request(f"auth type {auth} is not supported")
    if auth and not (body.access_credential or ours):
        raise errors.bad_request(f"access_credential is required for auth type {auth}")
    for key, value in (("name", body.name), ("url", body.url)):
        if any(other["id"] != ours for other in call.store.find("scanner", **{key: value})):
            raise errors.conflict(f"scanner registration with {key} {value} already exists")
    scanner = {"name": body.name, "url": body.url, "description": body.description or "", "auth": auth,
               "skip_certVerify": bool(body.skip_certVerify), "use_internal_addr": bool(body.use_internal_addr),
               "disabled": bool(body.disabled)}  # fmt: skip
    if body.access_credential:
        scanner["credential"] = call.site.vault.seal(body.access_credential)
    return scanner


@router.get("/scanners")
def list_scanners(call: Asking, paging: Pages) -> Response:
    """List the scanners."""
    call.require_system("list", "scanner")
    return call.page(call.store.find("scanner"), paging, shown_scanner)


@router.post("/scanners", status_code=201)
def create_scanner(call: Asking, body: bodies.ScannerBody) -> Response:
    """Register a scanner; it is not asked whether it answers."""
    call.require_system("create", "scanner")
    made = call.store.add("scanner", {**_checked(call, body), "uuid": str(uuid.uuid4()), "is_default": False,
                                      "created": now()})  # fmt: skip
    return call.created(made["uuid"])


@router.post("/scanners/ping")
def ping_scanner(call: Asking, body: bodies.ScannerBody) -> Response:
    """Check a scanner's settings."""
    call.require_system("read", "scanner")
    if not body.name or not body.url:
        raise errors.bad_request("missing registration name or url")
    return done()


@router.get("/scanners/{registration_id}")
def get_scanner(call: Asking, registration_id: str) -> dict[str, Any]:
    """Show a scanner."""
    call.require_system("read", "scanner")
    return shown_scanner(_scanner(call, registration_id))


@router.put("/scanners/{registration_id}")
def update_scanner(call: Asking, registration_id: str, body: bodies.ScannerBody) -> Response:
    """Change a scanner; the one that came with the installation cannot be."""
    call.require_system("update", "scanner")
    known = _scanner(call, registration_id)
    if known.get("immutable"):
        raise errors.forbidden(
            f"registration {known['name']} is not allowed to update as it is immutable: scanner API: update"
        )
    call.store.put("scanner", {**known, **_checked(call, body, known["id"]), "updated": now()})
    return done()


@router.patch("/scanners/{registration_id}")
def set_default_scanner(call: Asking, registration_id: str, body: bodies.DefaultFlag) -> Response:
    """Make a scanner the default."""
    call.require_system("update", "scanner")
    if body.is_default:
        chosen = _scanner(call, registration_id)
        for scanner in call.store.find("scanner"):
            call.store.put("scanner", {**scanner, "is_default": scanner["id"] == chosen["id"]})
    return done()


@router.delete("/scanners/{registration_id}")
def delete_scanner(call: Asking, registration_id: str) -> dict[str, Any]:
    """Delete a scanner; the one that came with the installation cannot be."""
    call.require_system("delete", "scanner")
    known = _scanner(call, registration_id)
    if known.get("immutable"):
        raise errors.forbidden(
            f"registration {known['name']} is not allowed to delete as it is immutable: scanner API: delete"
        )
    call.store.remove("scanner", known["id"])
    return shown_scanner(known)


# -- of a project ------------------------------------------------------------------------------------------------------


@router.get("/projects/{project_name_or_id}/scanner")
def get_project_scanner(call: Asking, name: NameOrId) -> dict[str, Any] | None:
    """Show the scanner of a project: its own, else the default."""
    call.require_login()
    project = call.project(name, "read", "scanner")
    chosen = call.store.get("scanner", project.get("scanner_id") or 0) or call.site.default_scanner()
    return shown_scanner(chosen) if chosen else None


@router.put("/projects/{project_name_or_id}/scanner")
def set_project_scanner(call: Asking, name: NameOrId, body: bodies.ScannerChoice) -> Response:
    """Choose the scanner of a project."""
    call.require_login()
    project = call.project(name, "create", "scanner")
    chosen = _scanner(call, body.uuid)
    call.store.put("project", {**project, "scanner_id": chosen["id"]})
    return done()


@router.get("/projects/{project_name_or_id}/scanner/candidates")
def list_scanner_candidates(call: Asking, name: NameOrId, paging: Pages) -> Response:
    """List the scanners a project can choose."""
    call.require_login()
    call.project(name, "create", "scanner")
    return call.page(call.store.find("scanner"), paging, shown_scanner)


# -- everything --------------------------------------------------------------------------------------------------------


def _require(call: Call, action: str) -> None:
    call.require_system(action, "scan-all")
    if call.site.default_scanner() is None:
        raise errors.precondition("no scanner is configured, it's not possible to scan")


def _schedule(body: bodies.ScheduleBody) -> tuple[str, str]:
    when = body.schedule or bodies.When()
    kind, text = when.type or "", when.cron or ""
    if kind not in (*_SCHEDULES, "None", "Manual"):
        raise errors.unprocessable(f"schedule.type in body should be one of {[*_SCHEDULES, 'Manual', 'None']}")
    if kind in _SCHEDULES and (problem := cron.problem(text)):
        raise errors.bad_request(f"invalid cron string for scheduled scan all: {text}, error: {problem}")
    return kind, text


def _keep(call: Call, kind: str, text: str) -> None:
    known = call.store.get("scan_all", _SCAN_ALL) or {"created": now()}
    call.store.put("scan_all", {**known, "id": _SCAN_ALL, "type": kind, "cron": text, "updated": now()})


@router.get("/system/scanAll/schedule")
def get_scan_schedule(call: Asking) -> Response:
    """Show the schedule; an empty answer where there is none."""
    _require(call, "read")
    known = call.store.get("scan_all", _SCAN_ALL)
    if known is None:
        return done()
    body = {
        "id": known["id"], "status": "Success", "schedule": {"type": known["type"], "cron": known["cron"]},
        "parameters": {}, "creation_time": known["created"], "update_time": known["updated"],
    }  # fmt: skip
    return JSONResponse(body)


@router.post("/system/scanAll/schedule", status_code=201)
def create_scan_schedule(call: Asking, body: bodies.ScheduleBody) -> Response:
    """Set the schedule where there is none, or scan everything now (Manual)."""
    _require(call, "create")
    kind, text = _schedule(body)
    if kind == "Manual":
        for artifact in call.store.find("artifact"):
            scanning.scan(call.site, artifact)
        call.store.put("scan_run", {"id": 1, "total": len(call.store.find("artifact")), "time": now()})
    elif kind != "None":
        if call.store.get("scan_all", _SCAN_ALL):
            raise errors.precondition(
                "fail to set schedule for scan all as always had one, please delete it firstly then to re-schedule"
            )
        _keep(call, kind, text)
    return Response(status_code=201)


@router.put("/system/scanAll/schedule")
def update_scan_schedule(call: Asking, body: bodies.ScheduleBody) -> Response:
    """Set, change or drop (None) the schedule."""
    _require(call, "update")
    kind, text = _schedule(body)
    if kind == "Manual":
        raise errors.bad_request(f"fail to update scan all schedule as wrong schedule type: {kind}")
    if kind == "None":
        call.store.remove("scan_all", _SCAN_ALL)
    else:
        _keep(call, kind, text)
    return done()


@router.post("/system/scanAll/stop", status_code=202)
def stop_scan_all(call: Asking) -> Response:
    """Stop the scan of everything; it has ended already."""
    _require(call, "stop")
    if call.store.get("scan_run", 1) is None:
        raise errors.bad_request("no scan all job is found currently")
    return Response(status_code=202)


@router.get("/scans/all/metrics")
def get_scan_metrics(call: Asking) -> dict[str, Any]:
    """Show how far the last scan of everything got."""
    _require(call, "read")
    run = call.store.get("scan_run", 1)
    if run is None:
        return {"total": 0, "completed": 0, "ongoing": False}
    metrics = {"Success": run["total"]}
    return {"total": run["total"], "completed": run["total"], "metrics": metrics, "ongoing": False, "trigger": "Manual"}
