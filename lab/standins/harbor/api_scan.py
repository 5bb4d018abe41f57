"""Scanners, and the scan of all artifacts with its schedule."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import JSONResponse, Response

from lab.standins.harbor import bodies, cron, errors, scanning
from lab.standins.harbor.call import Asking, HarborCall, HarborRouter, Pages, done
from lab.standins.harbor.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router: Final = HarborRouter(tags=["scanner", "scanAll"])

_SCHEDULES: Final = ("Hourly", "Daily", "Weekly", "Custom")
_SCAN_ALL: Final = 1


def shown_scanner(scanner: Document) -> dict[str, Any]:
    """Return a scanner as shown in the API, without its credential."""
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


def _scanner(call: HarborCall, id_: str) -> Document:
    found = call.store.first("scanner", uuid=id_)
    if found is None:
        raise errors.not_found(f"scanner {id_}")
    return found


@router.get("/scanners")
@needed_by(Need.CATALOGUE_JOBS)
def list_scanners(call: Asking, paging: Pages) -> Response:
    """List the scanners."""
    call.require_system("list", "scanner")
    return call.page(call.store.find("scanner"), paging, shown_scanner)


@router.patch("/scanners/{registration_id}")
@needed_by(Need.CATALOGUE_JOBS)
def set_default_scanner(call: Asking, registration_id: str, body: bodies.DefaultFlag) -> Response:
    """Make a scanner the default."""
    call.require_system("update", "scanner")
    if body.is_default:
        chosen = _scanner(call, registration_id)
        for scanner in call.store.find("scanner"):
            call.store.put("scanner", {**scanner, "is_default": scanner["id"] == chosen["id"]})
    return done()


# -- scan of all -------------------------------------------------------------------------------------------------------


def _require(call: HarborCall, action: str) -> None:
    call.require_system(action, "scan-all")
    if call.site.default_scanner() is None:
        raise errors.precondition("no scanner is configured, it's not possible to scan")


def _schedule(body: bodies.ScheduleBody) -> tuple[str, str]:
    when = body.schedule or bodies.ScheduleTypeBody()
    kind, text = when.type or "", when.cron or ""
    if kind not in (*_SCHEDULES, "None", "Manual"):
        raise errors.unprocessable(f"schedule.type in body should be one of {[*_SCHEDULES, 'Manual', 'None']}")
    if kind in _SCHEDULES and (problem := cron.problem(text)):
        raise errors.bad_request(f"invalid cron string for scheduled scan all: {text}, error: {problem}")
    return kind, text


def _keep(call: HarborCall, kind: str, text: str) -> None:
    known = call.store.get("scan_all", _SCAN_ALL) or {"created": now()}
    call.store.put("scan_all", {**known, "id": _SCAN_ALL, "type": kind, "cron": text, "updated": now()})


@router.get("/system/scanAll/schedule")
@needed_by(Need.CATALOGUE_JOBS)
def get_scan_schedule(call: Asking) -> Response:
    """Return the schedule; the answer is empty if there is none."""
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
@needed_by(Need.CATALOGUE_JOBS)
def create_scan_schedule(call: Asking, body: bodies.ScheduleBody) -> Response:
    """Set the schedule if there is none, or scan all artifacts now (Manual)."""
    _require(call, "create")
    kind, text = _schedule(body)
    if kind == "Manual":
        for artifact in call.store.find("artifact"):
            scanning.scan(call.site, artifact)
    elif kind != "None":
        if call.store.get("scan_all", _SCAN_ALL):
            raise errors.precondition(
                "fail to set schedule for scan all as always had one, please delete it firstly then to re-schedule"
            )
        _keep(call, kind, text)
    return Response(status_code=201)


@router.put("/system/scanAll/schedule")
@needed_by(Need.CATALOGUE_JOBS)
def update_scan_schedule(call: Asking, body: bodies.ScheduleBody) -> Response:
    """Set, change or delete (None) the schedule."""
    _require(call, "update")
    kind, text = _schedule(body)
    if kind == "Manual":
        raise errors.bad_request(f"fail to update scan all schedule as wrong schedule type: {kind}")
    if kind == "None":
        call.store.remove("scan_all", _SCAN_ALL)
    else:
        _keep(call, kind, text)
    return done()
