"""Robot accounts."""

from __future__ import annotations

from typing import Any, Final

import requests

from lab.plugins.bridge import Resource
from lab.plugins.harbor.client import ApiError, Harbor, full
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

ROBOT: Final = resource(
    "harbor:index/robotAccount:RobotAccount", sets=("permissions", "accesses"), autoname=("name",)
).tuned(default={"disable": False, "duration": -1})


def _body(data: Data) -> Properties:
    permissions = [
        full(
            {
                "kind": grant["kind"],
                "namespace": grant["namespace"],
                "access": [
                    full({"action": access["action"], "resource": access["resource"], "effect": access.get("effect")})
                    for access in grant["accesses"]
                ],
            }
        )
        for grant in data.get("permissions")
    ]
    body = full({name: data.get(name) for name in ("name", "description", "level", "duration")})
    return {**body, **({"disable": True} if data.get("disable") else {}), **full({"permissions": permissions})}


def _create(data: Data, harbor: Harbor) -> None:
    path, made = harbor.post("/robots", _body(data))
    if secret := data.get("secret"):
        harbor.send("PATCH", f"/robots/{made['id']}", {"secret": secret}, expect=requests.codes.ok)
    else:
        data.set("secret", made["secret"])
    data.id = path
    _read(data, harbor)


def _prefix(harbor: Harbor) -> str:
    """Return what stands before the names of robots: as set for the provider, else as Harbor is configured."""
    if harbor.robot_prefix:
        return harbor.robot_prefix
    try:
        return str(harbor.get("/configurations")["robot_name_prefix"]["value"])
    except ApiError as error:
        raise PluginError(
            f"error getting system configuration (probably missing admin rights) {error}, you can use robot_prefix to "
            "force the prefix"
        ) from None


def _read(data: Data, harbor: Harbor) -> None:
    try:
        robot = harbor.get(data.id)
    except ApiError:
        data.id = ""  # upstream takes any failure for «gone»
        return
    name = robot["name"]
    if robot["level"] == "project":
        short = name.split(f"{robot['permissions'][0]['namespace']}+")[1]
    else:
        short = name.removeprefix(_prefix(harbor))
    data.set("name", short)
    data.set("robotId", str(robot["id"]))
    data.set("fullName", name)
    data.set("description", robot.get("description"))
    data.set("level", robot["level"])
    data.set("duration", robot.get("duration"))
    data.set("disable", robot.get("disable"))
    data.set("permissions", [_permission(grant, data.get("permissions")) for grant in robot["permissions"]])


def _permission(grant: Properties, ours: list[Any]) -> Properties:
    """Return a permission as the program would write it: an effect only where it wrote one, or an unusual one."""
    same = [item for item in ours if (item["kind"], item["namespace"]) == (grant["kind"], grant["namespace"])]
    written = {
        (access["action"], access["resource"]): access.get("effect") for item in same for access in item["accesses"]
    }
    accesses = []
    for access in grant["access"]:
        key = (access["action"], access["resource"])
        effect = access.get("effect") or ""
        effect = written.get(key, "" if effect == "allow" else effect)
        accesses.append({**access, "effect": effect} if effect else {"action": key[0], "resource": key[1]})
    return {"kind": grant["kind"], "namespace": grant["namespace"], "accesses": accesses}


def _update(data: Data, harbor: Harbor) -> None:
    body = {**_body(data), "name": harbor.get(data.id)["name"]}
    harbor.put(data.id, body)
    if data.changed("secret"):
        harbor.send("PATCH", data.id, {"secret": data.get("secret")}, expect=requests.codes.ok)
    _read(data, harbor)


def _delete(data: Data, harbor: Harbor) -> None:
    harbor.delete(data.id)


RESOURCES: Final = {ROBOT.token: Resource(ROBOT, _create, _read, _update, _delete)}
