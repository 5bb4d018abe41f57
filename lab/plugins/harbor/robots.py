"""Robot accounts."""

from __future__ import annotations

from typing import Any, Final

import requests

from lab.plugins.fields import fields
from lab.plugins.harbor.client import HarborApiError, HarborPluginClient, full
from lab.plugins.harbor.items import HarborItem
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties


def _prefix(harbor: HarborPluginClient) -> str:
    """Return the prefix of robot names from the provider's settings, else from Harbor's configuration."""
    if harbor.robot_prefix:
        return harbor.robot_prefix
    try:
        return str(harbor.get("/configurations")["robot_name_prefix"]["value"])
    except HarborApiError as error:
        raise PluginError(
            f"error getting system configuration (probably missing admin rights) {error}, you can use robot_prefix to "
            "force the prefix"
        ) from None


def _permission(grant: Properties, ours: list[Any]) -> Properties:
    """Return a permission as in the program, with its effect only if the program sets it or it is not the default."""
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


class _Robot(HarborItem):
    def body(self, data: Data) -> Properties:
        permissions = [
            full(
                {
                    "kind": grant["kind"],
                    "namespace": grant["namespace"],
                    "access": [
                        full(
                            {"action": access["action"], "resource": access["resource"], "effect": access.get("effect")}
                        )
                        for access in grant["accesses"]
                    ],
                }
            )
            for grant in data.get("permissions")
        ]
        body = full({name: data.get(name) for name in ("name", "description", "level", "duration")})
        return {**body, **({"disable": True} if data.get("disable") else {}), **full({"permissions": permissions})}

    def create(self, data: Data, harbor: HarborPluginClient) -> None:
        """Create it. The secret is the program's, else the one in Harbor's answer."""
        path, made = harbor.post(self.collection, self.body(data))
        if secret := data.get("secret"):
            harbor.send("PATCH", f"/robots/{made['id']}", {"secret": secret}, expect=requests.codes.ok)
        else:
            data.set("secret", made["secret"])
        data.id = path
        self.read(data, harbor)

    def find(self, data: Data, harbor: HarborPluginClient) -> Properties | None:
        """Return the robot; like upstream, it treats each failure as a missing robot."""
        try:
            return super().find(data, harbor)
        except HarborApiError:
            return None

    def take(self, data: Data, found: Properties, harbor: HarborPluginClient) -> None:
        super().take(data, found, harbor)
        name = found["name"]
        if found["level"] == "project":
            short = name.split(f"{found['permissions'][0]['namespace']}+")[1]
        else:
            short = name.removeprefix(_prefix(harbor))
        data.set("name", short)
        data.set("permissions", [_permission(grant, data.get("permissions")) for grant in found["permissions"]])

    def update(self, data: Data, harbor: HarborPluginClient) -> None:
        """Update it, with its name from Harbor; a new secret needs a separate request."""
        harbor.put(data.id, {**self.body(data), "name": harbor.get(data.id)["name"]})
        if data.changed("secret"):
            harbor.send("PATCH", data.id, {"secret": data.get("secret")}, expect=requests.codes.ok)
        self.read(data, harbor)


RESOURCES: Final = table(
    _Robot(
        shape=resource(
            "harbor:index/robotAccount:RobotAccount", sets=("permissions", "accesses"), autoname=("name",)
        ).tuned(default={"disable": False, "duration": -1}),
        collection="/robots",
        read_back=fields("description", "level", "duration", "disable", robotId="id", fullName="name"),
        may_be_gone=False,
    )
)
