"""System objects: authentication, configuration, schedules of scans and of garbage collection."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from lab.plugins.fields import fields
from lab.plugins.harbor.client import HarborApiError, HarborPluginClient, full
from lab.plugins.harbor.items import HarborItem
from lab.plugins.harbor.rules import schedule
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Value

_CONFIGURATION: Final = "/configurations"


@dataclass(frozen=True, kw_only=True)
class _SystemObject(HarborItem):
    """An object that a system has once: its creation is an update. `id` is its id, `collection` its path."""

    id: str

    def update(self, data: Data, client: HarborPluginClient) -> None:
        """Write the object."""
        self.create(data, client)

    def read(self, data: Data, client: HarborPluginClient) -> None:
        """Read the object, with any id."""
        data.id = self.id
        super().read(data, client)


# -- configuration and authentication ----------------------------------------------------------------------------------


class _Configuration(_SystemObject):
    def body(self, data: Data) -> Properties:
        values = super().body(data)
        return {field: value for field, value in values.items() if isinstance(value, bool) or value}

    def create(self, data: Data, client: HarborPluginClient) -> None:
        """Write it under a lock, because several resources change the same configuration."""
        with client.configuration:
            client.put(_CONFIGURATION, self.body(data))
        self.read(data, client)

    def find(self, _data: Data, client: HarborPluginClient) -> Properties:
        """Return the values of the configuration."""
        try:
            document = client.get(_CONFIGURATION)
        except HarborApiError as error:
            raise PluginError(f"error getting system configuration {error}") from None
        return {name: (item or {}).get("value") for name, item in document.items()}

    def delete(self, _data: Data, _client: HarborPluginClient) -> None:
        """Do nothing: Harbor keeps its configuration."""


class _Auth(_Configuration):
    def body(self, data: Data) -> Properties:
        # Upstream always sends these, in each mode.
        always = {
            "oidc_verify_cert": False, "oidc_auto_onboard": False, "self_registration": False, "ldap_scope": 0,
            "ldap_group_search_scope": 0, "ldap_verify_cert": False,
        }  # fmt: skip
        if data.get("authMode") not in ("oidc_auth", "oidc"):
            return always
        primary = {"primary_auth_mode": True} if data.get("primaryAuthMode") else {}
        secret = {"oidc_client_secret": text} if (text := data.get("oidcClientSecret")) else {}
        return {**always, "auth_mode": "oidc_auth", **primary, **super().body(data), **secret}

    def take(self, data: Data, found: Properties, client: HarborPluginClient) -> None:
        data.set("authMode", found.get("auth_mode"))
        data.set("primaryAuthMode", bool(found.get("primary_auth_mode")))
        if found.get("auth_mode") == "oidc_auth":
            super().take(data, found, client)


_TOGETHER: Final = ("oidcName", "oidcEndpoint", "oidcClientId", "oidcClientSecret", "oidcScope")
_AUTH: Final = _Auth(
    shape=resource("harbor:index/configAuth:ConfigAuth").tuned(
        default={"primaryAuthMode": False},
        required_with={name: tuple(other for other in _TOGETHER if other != name) for name in _TOGETHER},
    ),
    collection=_CONFIGURATION,
    id=_CONFIGURATION,
    always=fields(
        "oidcName", "oidcEndpoint", "oidcClientId", "oidcGroupsClaim", "oidcScope", "oidcVerifyCert",
        "oidcAutoOnboard", "oidcUserClaim", "oidcAdminGroup",
    ),
)  # fmt: skip


class _System(_Configuration):
    def body(self, data: Data) -> Properties:
        return {"quota_per_project_enable": True, **super().body(data)}


_SYSTEM: Final = _System(
    shape=resource("harbor:index/configSystem:ConfigSystem").tuned(
        default={
            "projectCreationRestriction": "adminonly", "readOnly": False, "robotTokenExpiration": 30,
            "robotNamePrefix": "robot$", "scannerSkipUpdatePulltime": False, "auditLogForwardEndpoint": "",
            "skipAuditLogDatabase": False,
        },
    ),
    collection=_CONFIGURATION,
    id="configuration/system",
    always=fields(
        "projectCreationRestriction", "readOnly", "robotNamePrefix", "scannerSkipUpdatePulltime",
        "auditLogForwardEndpoint", "skipAuditLogDatabase", robotTokenExpiration="robot_token_duration",
    ),
)  # fmt: skip

# -- schedules ---------------------------------------------------------------------------------------------------------


def _workers(value: Value) -> str | None:
    return None if isinstance(value, int) and 1 <= value <= 5 else "GC workers must be between 1 and 5"  # noqa: PLR2004 - Harbor's limits


@dataclass(frozen=True, kw_only=True)
class _JobSchedule(_SystemObject):
    """A scheduled job; `when` is the property with the schedule."""

    when: str

    def parameters(self, _data: Data) -> Properties:
        return {}

    def create(self, data: Data, client: HarborPluginClient) -> None:
        """Create the schedule, or update the existing one."""
        kind, cron = schedule(data.get(self.when))
        body = {"schedule": full({"type": kind, "cron": cron}), "parameters": full(self.parameters(data))}
        if client.get(self.collection) is None:
            client.post(self.collection, body)
        else:
            client.put(self.collection, body)
        data.id = self.id
        self.read(data, client)

    def take(self, data: Data, found: Properties, _client: HarborPluginClient) -> None:
        when = found.get("schedule") or {}
        data.set(self.when, str((when.get("cron") if when.get("type") == "Custom" else when.get("type")) or ""))

    def delete(self, _data: Data, client: HarborPluginClient) -> None:
        """Set the schedule to "never"."""
        client.put(self.collection, {"schedule": {"type": "None"}, "parameters": {}})


class _Scans(_JobSchedule):
    def create(self, data: Data, client: HarborPluginClient) -> None:
        """Set the schedule and its scanner."""
        super().create(data, client)
        if scanner := data.get("defaultScanner"):
            for known in client.send("GET", "/scanners").json():
                if known["name"] == scanner.title():
                    client.send("PATCH", f"/scanners/{known['uuid']}", {"is_default": True})

    def find(self, data: Data, client: HarborPluginClient) -> Properties:
        """Return the schedule; like upstream, each failure is an error "not found"."""
        try:
            found: Properties | None = client.get(data.id)
        except HarborApiError:
            found = None
        if found is None:
            raise PluginError(f"Resource not found {data.id}")
        return found


class _Collection(_JobSchedule):
    def parameters(self, data: Data) -> Properties:
        return {"delete_untagged": data.get("deleteUntagged") or None, "workers": data.get("workers")}

    def find(self, data: Data, client: HarborPluginClient) -> Properties:
        """Return the schedule; like upstream, it fails if there is none."""
        found: Properties | None = client.get(data.id)
        if found is None:
            raise PluginError("unexpected end of JSON input")
        return found

    def take(self, data: Data, found: Properties, client: HarborPluginClient) -> None:
        super().take(data, found, client)
        parameters = json.loads(found.get("job_parameters") or "{}")
        data.set("deleteUntagged", bool(parameters.get("delete_untagged")))
        data.set("workers", parameters.get("workers"))


_SCANS: Final = _Scans(
    shape=resource("harbor:index/interrogationServices:InterrogationServices"),
    collection="/system/scanAll/schedule",
    id="/system/scanAll/schedule",
    when="vulnerabilityScanPolicy",
)
_COLLECTION: Final = _Collection(
    shape=resource("harbor:index/garbageCollection:GarbageCollection").tuned(
        default={"workers": 1}, validate={"workers": _workers}
    ),
    collection="/system/gc/schedule",
    id="/system/gc/schedule",
    when="schedule",
)

RESOURCES: Final = table(_AUTH, _SYSTEM, _SCANS, _COLLECTION)
