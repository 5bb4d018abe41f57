"""Robot accounts of the system and of projects. A secret is shown only at creation or renewal."""

from __future__ import annotations

import calendar
import datetime
import re
from typing import Any, Final

from starlette.responses import Response

from lab.standins.harbor import bodies, errors, rbac, secrecy
from lab.standins.harbor.call import Asking, HarborCall, HarborRouter, Id, Pages, done
from lab.standins.harbor.site import now
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router: Final = HarborRouter(tags=["robot"])

_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_LEVELS: Final = ("system", "project")
_LONGEST: Final = 2**31 - 1


def shown(call: HarborCall, robot: Document) -> dict[str, Any]:
    """Return a robot as shown in the API."""
    body = {
        "id": robot["id"],
        "name": str(call.site.settings.get("robot_name_prefix")) + robot["name"],
        "level": robot["level"],
        "duration": robot["duration"],
        "editable": True,
        "disable": robot["disable"],
        "expires_at": robot["expires_at"],
        "creator_type": robot["creator_type"],
        "creator_ref": robot["creator_ref"],
        "creation_time": robot["created"],
        "update_time": robot["updated"],
        # Permissions for deleted projects are not shown.
        "permissions": [
            grant
            for grant in robot["permissions"]
            if grant["kind"] == "system" or grant["namespace"] == "*" or _exists(call, grant["namespace"])
        ],
    }
    return {**body, **({"description": robot["description"]} if robot["description"] else {})}


def _exists(call: HarborCall, name: str) -> bool:
    return call.store.first("project", name=name) is not None


def _expiry(created: str, days: int) -> int:
    """Return a robot's expiry in seconds since 1970, or -1."""
    if days == -1:
        return -1
    start = datetime.datetime.fromisoformat(created)
    return calendar.timegm(start.timetuple()) + days * 86400


@router.get("/robots")
@needed_by(Need.LOOKUP, Need.INVENTORY)
def list_robots(call: Asking, paging: Pages) -> Response:
    """List the system's robots, or those of a project with `q=Level=project,ProjectID=N`."""
    call.require_login()
    level, project_id = paging.value("Level"), paging.value("ProjectID")
    if level is not None and level not in _LEVELS:
        raise errors.bad_request("bad request error level input")
    if level == "project":
        if project_id is None:
            raise errors.bad_request("must with project ID when to query project robots")
        if not re.fullmatch(r"\d{1,18}", project_id) or int(project_id) == 0:
            raise errors.bad_request("ProjectID must be a positive integer")
        # Harbor requires the permission in the project, and lists nothing if the project is gone.
        _require_project(call, int(project_id), "list")
        robots = call.store.find("robot", project_id=int(project_id))
    else:
        call.require_system("list", "robot")
        robots = call.store.find("robot", project_id=0)
    return call.page(robots, paging, lambda robot: shown(call, robot))


def _require_project(call: HarborCall, name_or_id: str | int, action: str) -> None:
    try:
        project: Document | None = call.site.project(name_or_id)
    except errors.HarborError:
        project = None
    if not call.principal.may(project, action, "robot"):
        call.require_login()
        raise errors.forbidden()


def _require(call: HarborCall, robot: Document, action: str) -> None:
    if robot["level"] == "system":
        call.require_system(action, "robot")
    else:
        _require_project(call, robot["project_id"], action)


def _robot(call: HarborCall, id_: int) -> Document:
    call.require_login()
    found = call.store.get("robot", id_)
    if found is None:
        raise errors.not_found(f"robot {id_}")
    return found


def _permissions(body: bodies.RobotBody, duration: int) -> list[dict[str, Any]]:
    """Check a robot's parameters; return its permissions as stored."""
    if not (duration == -1 or 0 < duration < _LONGEST):
        raise errors.bad_request(
            f"bad request error duration input: {duration}, duration must be either -1(Never) or a positive integer"
        )
    if body.level not in _LEVELS:
        raise errors.bad_request(f"bad request error level input: {body.level or ''}")
    if not body.permissions:
        raise errors.bad_request("bad request empty permission")
    if any(not grant.access for grant in body.permissions):
        raise errors.bad_request("bad request empty access")
    if body.level == "project" and len(body.permissions) > 1:
        raise errors.bad_request("bad request permission")
    merged: dict[tuple[str, str], list[dict[str, str]]] = {}
    for grant in body.permissions:
        tables = {"system": rbac.SYSTEM_PERMISSIONS, "project": rbac.PROJECT_PERMISSIONS}
        if grant.kind not in tables:
            raise errors.bad_request(f"bad request permission level: {grant.kind or ''}")
        for access in grant.access or []:
            if not rbac.grants(tables[grant.kind], access.resource or "", access.action or ""):
                raise errors.bad_request(f"bad request permission: {access.resource or ''}:{access.action or ''}")
            entry = {"resource": access.resource or "", "action": access.action or ""}
            kept = merged.setdefault((grant.kind, grant.namespace or ""), [])
            if access.effect:
                entry["effect"] = access.effect
            if entry not in kept:
                kept.append(entry)
    return [{"kind": kind, "namespace": name, "access": access} for (kind, name), access in merged.items()]


def _check_projects(call: HarborCall, permissions: list[dict[str, Any]]) -> None:
    for grant in permissions:
        if grant["kind"] == "project" and grant["namespace"] != "*":
            call.site.project(grant["namespace"])


@router.post("/robots", status_code=201)
@needed_by(Need.PLUGINS, Need.PEOPLE)
def create_robot(call: Asking, body: bodies.RobotBody) -> Response:
    """Create a robot; only this answer contains its secret."""
    name = body.name or ""
    if not _NAME.fullmatch(name):
        raise errors.bad_request("robot name is not in lower case or contains illegal characters")
    permissions = _permissions(body, body.duration or 0)
    project_id = 0
    if body.level == "project":
        _require_project(call, permissions[0]["namespace"], "create")
        project_id = call.site.project(permissions[0]["namespace"])["id"]
        name = f"{permissions[0]['namespace']}+{name}"
    else:
        call.require_system("create", "robot")
    if call.robot and not _within(permissions, call.robot.robot["permissions"]):
        raise errors.denied(
            "permission scope is invalid. It must be equal to or more restrictive than the creator robot's "
            f"permissions: {call.robot.name}"
        )
    _check_projects(call, permissions)
    if call.store.first("robot", name=name):
        raise errors.conflict(f"robot account {name} already exists")
    secret, created = secrecy.fresh(), now()
    creator = call.robot.robot["id"] if call.robot else call.person.user["id"] if call.person else 0
    robot = call.store.add(
        "robot",
        {
            "name": name, "level": body.level, "project_id": project_id, "description": body.description or "",
            "duration": body.duration, "expires_at": _expiry(created, body.duration or 0), "disable": False,
            "permissions": permissions, "secret": secrecy.hashed(secret), "creator_type": call.principal.kind,
            "creator_ref": creator, "created": created, "updated": created,
        },
    )  # fmt: skip
    answer = {"id": robot["id"], "name": shown(call, robot)["name"], "secret": secret, "creation_time": created,
              "expires_at": robot["expires_at"]}  # fmt: skip
    return call.created(robot["id"], answer)


def _within(wanted: list[dict[str, Any]], held: list[dict[str, Any]]) -> bool:
    """Whether a robot has all permissions that it gives to another."""
    return all(
        any(
            has["kind"] == grant["kind"]
            and has["namespace"] in (grant["namespace"], "*")
            and all(access in has["access"] for access in grant["access"])
            for has in held
        )
        for grant in wanted
    )


@router.get("/robots/{robot_id}")
@needed_by(Need.PLUGINS)
def get_robot(call: Asking, robot_id: Id) -> dict[str, Any]:
    """Return a robot, without its secret."""
    robot = _robot(call, robot_id)
    _require(call, robot, "read")
    return shown(call, robot)


@router.put("/robots/{robot_id}")
@needed_by(Need.PLUGINS)
def update_robot(call: Asking, robot_id: Id, body: bodies.RobotBody) -> Response:
    """Update a robot; a new duration counts from its creation."""
    robot = _robot(call, robot_id)
    duration = robot["duration"] if body.duration is None else body.duration
    permissions = _permissions(body, duration)
    if robot["level"] != "system" and call.site.project(permissions[0]["namespace"])["id"] != robot["project_id"]:
        raise errors.bad_request("cannot update the project id of robot")
    _require(call, robot, "update")
    if body.level != robot["level"] or body.name != shown(call, robot)["name"]:
        raise errors.bad_request("cannot update the level or name of robot")
    _check_projects(call, permissions)
    if duration != robot["duration"]:
        robot["expires_at"] = _expiry(robot["created"], duration)
    robot.update(duration=duration, description=body.description or "", disable=bool(body.disable))
    call.store.put("robot", {**robot, "permissions": permissions, "updated": now()})
    return done()


@router.patch("/robots/{robot_id}")
@needed_by(Need.PLUGINS)
def refresh_secret(call: Asking, robot_id: Id, body: bodies.SecretBody) -> dict[str, str]:
    """Change a robot's secret to the given one, or to a new one that is shown only once."""
    robot = _robot(call, robot_id)
    _require(call, robot, "update")
    if body.secret and not secrecy.acceptable(body.secret):
        raise errors.bad_request(secrecy.RULE_TEXT)
    secret = body.secret or secrecy.fresh()
    call.store.put("robot", {**robot, "secret": secrecy.hashed(secret), "updated": now()})
    return {} if body.secret else {"secret": secret}


@router.delete("/robots/{robot_id}")
@needed_by(Need.PLUGINS, Need.LOOKUP, Need.INVENTORY, Need.PEOPLE)
def delete_robot(call: Asking, robot_id: Id) -> Response:
    """Delete a robot."""
    robot = _robot(call, robot_id)
    _require(call, robot, "delete")
    call.store.remove("robot", robot["id"])
    return done()
