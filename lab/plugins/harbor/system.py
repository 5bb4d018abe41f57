"""The system: log-in by a provider, configuration, schedules of scans and of collection."""

from __future__ import annotations

import json
from typing import Any, Final

import requests

from lab.plugins.bridge import Resource
from lab.plugins.harbor.client import ApiError, Harbor, full
from lab.plugins.harbor.projects import GIBIBYTE
from lab.plugins.harbor.rules import schedule
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Value

_CONFIGURATION: Final = "/configurations"

# -- log-in ------------------------------------------------------------------------------------------------------------

_LDAP_RIVALS: Final = (
    "ldapUrl", "ldapBaseDn", "ldapUid", "ldapVerifyCert", "ldapSearchDn", "ldapSearchPassword", "ldapFilter",
    "ldapGroupUid", "ldapScope", "ldapGroupBaseDn", "ldapGroupFilter", "ldapGroupGid", "ldapGroupAdminDn",
    "ldapGroupMembership", "ldapGroupScope",
)  # fmt: skip
_OIDC_RIVALS: Final = (
    "oidcName", "oidcEndpoint", "oidcClientId", "oidcClientSecret", "oidcGroupsClaim", "oidcScope", "oidcVerifyCert",
    "oidcAutoOnboard", "oidcUserClaim",
)  # fmt: skip
_OIDC: Final = (*_OIDC_RIVALS, "oidcGroupFilter", "oidcAdminGroup")
_LDAP: Final = ("ldapUrl", "ldapBaseDn", "ldapUid", "ldapVerifyCert", "ldapSearchDn", "ldapSearchPassword")
_OIDC_TOGETHER: Final = ("oidcName", "oidcEndpoint", "oidcClientId", "oidcClientSecret", "oidcScope")
_LDAP_TOGETHER: Final = ("ldapUrl", "ldapBaseDn", "ldapUid", "ldapVerifyCert")


def _others(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(other for other in names if other != name)


AUTH: Final = resource("harbor:index/configAuth:ConfigAuth").tuned(
    default={
        "primaryAuthMode": False, "ldapVerifyCert": False, "ldapScope": "subtree", "ldapGroupMembership": "memberof",
        "ldapGroupScope": "subtree",
    },
    conflicts={**dict.fromkeys(_OIDC, _LDAP_RIVALS), **dict.fromkeys(_LDAP, _OIDC_RIVALS)},
    required_with={
        **{name: _others(_OIDC_TOGETHER, name) for name in _OIDC_TOGETHER},
        **{name: _others(_LDAP_TOGETHER, name) for name in _LDAP},
    },
)  # fmt: skip
_SCOPES: Final = ("base", "onelevel", "subtree")
#: Property -> item of Harbor's configuration, of those that are read back.
_OIDC_ITEMS: Final = {
    "oidcName": "oidc_name", "oidcEndpoint": "oidc_endpoint", "oidcClientId": "oidc_client_id",
    "oidcGroupsClaim": "oidc_groups_claim", "oidcScope": "oidc_scope", "oidcVerifyCert": "oidc_verify_cert",
    "oidcAutoOnboard": "oidc_auto_onboard", "oidcUserClaim": "oidc_user_claim", "oidcAdminGroup": "oidc_admin_group",
}  # fmt: skip
_LDAP_ITEMS: Final = {
    "ldapUrl": "ldap_url", "ldapBaseDn": "ldap_base_dn", "ldapUid": "ldap_uid", "ldapVerifyCert": "ldap_verify_cert",
    "ldapSearchDn": "ldap_search_dn", "ldapGroupBaseDn": "ldap_group_base_dn",
    "ldapGroupFilter": "ldap_group_search_filter", "ldapGroupGid": "ldap_group_attribute_name",
    "ldapGroupAdminDn": "ldap_group_admin_dn", "ldapGroupMembership": "ldap_group_membership_attribute",
}  # fmt: skip
_ONLY_WRITTEN: Final = {"oidcClientSecret": "oidc_client_secret", "oidcGroupFilter": "oidc_group_filter"}
_ONLY_WRITTEN_LDAP: Final = {"ldapSearchPassword": "ldap_search_password", "ldapFilter": "ldap_filter"}


def _auth_body(data: Data) -> Properties:
    # Upstream always sends these, whatever the mode.
    body: Properties = {
        "oidc_verify_cert": False, "oidc_auto_onboard": False, "self_registration": False, "ldap_scope": 0,
        "ldap_group_search_scope": 0, "ldap_verify_cert": False,
    }  # fmt: skip
    mode = data.get("authMode")
    if mode in ("oidc_auth", "oidc"):
        body["auth_mode"] = "oidc_auth"
        items = {**_OIDC_ITEMS, **_ONLY_WRITTEN}
    elif mode in ("ldap_auth", "ldap"):
        body["auth_mode"] = "ldap_auth"
        items = {**_LDAP_ITEMS, **_ONLY_WRITTEN_LDAP}
        body["ldap_scope"] = _scope(data.get("ldapScope"))
        body["ldap_group_search_scope"] = _scope(data.get("ldapGroupScope"))
    else:
        return body
    if data.get("primaryAuthMode"):
        body["primary_auth_mode"] = True
    for name, item in items.items():
        value = data.get(name)
        if isinstance(value, bool) or value:
            body[item] = value
    return body


def _scope(name: str) -> int:
    return _SCOPES.index(name) if name in _SCOPES else 0


def _write_auth(data: Data, harbor: Harbor) -> None:
    with harbor.configuration:
        harbor.put(_CONFIGURATION, _auth_body(data))
    _read_auth(data, harbor)


def _read_auth(data: Data, harbor: Harbor) -> None:
    found = _configuration(harbor)
    data.id = _CONFIGURATION
    mode = found("auth_mode")
    data.set("authMode", mode)
    data.set("primaryAuthMode", bool(found("primary_auth_mode")))
    if mode == "oidc_auth":
        for name, item in _OIDC_ITEMS.items():
            data.set(name, found(item))
    elif mode == "ldap_auth":
        for name, item in _LDAP_ITEMS.items():
            data.set(name, found(item))
        for name, item in (("ldapScope", "ldap_scope"), ("ldapGroupScope", "ldap_group_search_scope")):
            number = int(found(item) or 0)
            data.set(name, _SCOPES[number] if number < len(_SCOPES) else "subtree")


def _configuration(harbor: Harbor) -> Any:  # noqa: ANN401 - a function of an item's name to its value
    try:
        document = harbor.get(_CONFIGURATION)
    except ApiError as error:
        raise PluginError(f"error getting system configuration {error}") from None
    return lambda name: (document.get(name) or {}).get("value")


def _nothing(_data: Data, _harbor: Harbor) -> None:
    """Deleting only forgets: Harbor keeps its configuration."""


# -- configuration -----------------------------------------------------------------------------------------------------

_BANNER_TYPES: Final = ("success", "info", "warning", "danger")


def _banner_type(value: Value) -> str | None:
    if value in _BANNER_TYPES:
        return None
    return f'"type" must be one of [{", ".join(_BANNER_TYPES)}], got {value}'


SYSTEM: Final = resource("harbor:index/configSystem:ConfigSystem").tuned(
    default={
        "projectCreationRestriction": "adminonly", "readOnly": False, "robotTokenExpiration": 30,
        "robotNamePrefix": "robot$", "scannerSkipUpdatePulltime": False, "storagePerProject": -1,
        "auditLogForwardEndpoint": "", "skipAuditLogDatabase": False,
    },
    fields={
        "bannerMessage": {
            "default": {"closable": False, "type": "info", "fromDate": "", "toDate": ""},
            "validate": {"type": _banner_type},
        }
    },
)  # fmt: skip
_BANNER: Final = ("closable", "message", "type", "fromDate", "toDate")
_SYSTEM_ITEMS: Final = {
    "projectCreationRestriction": "project_creation_restriction", "readOnly": "read_only",
    "robotTokenExpiration": "robot_token_duration", "robotNamePrefix": "robot_name_prefix",
    "scannerSkipUpdatePulltime": "scanner_skip_update_pulltime",
    "auditLogForwardEndpoint": "audit_log_forward_endpoint", "skipAuditLogDatabase": "skip_audit_log_database",
}  # fmt: skip


def _write_system(data: Data, harbor: Harbor) -> None:
    storage = data.get("storagePerProject")
    body: Properties = {"quota_per_project_enable": True}
    for name, item in _SYSTEM_ITEMS.items():
        value = data.get(name)
        if isinstance(value, bool) or value:
            body[item] = value
    body.update(full({"storage_per_project": storage * GIBIBYTE if storage > 0 else storage}))
    if banner := data.get("bannerMessage"):
        parts = {"closable": bool(banner.get("closable")), **{name: banner.get(name) or "" for name in _BANNER[1:]}}
        body["banner_message"] = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    with harbor.configuration:
        harbor.put(_CONFIGURATION, body)
    _read_system(data, harbor)


def _read_system(data: Data, harbor: Harbor) -> None:
    found = _configuration(harbor)
    if text := found("banner_message"):
        try:
            banner = json.loads(text)
        except ValueError as error:
            raise PluginError(f"error getting system configuration {error}") from None
        known = {"closable": bool(banner.get("closable")), **{name: banner.get(name) or "" for name in _BANNER[1:]}}
        data.set("bannerMessage", known)
    for name, item in _SYSTEM_ITEMS.items():
        data.set(name, found(item))
    storage = int(found("storage_per_project") or 0)
    data.set("storagePerProject", storage // GIBIBYTE if storage > 0 else storage)
    data.id = "configuration/system"


# -- schedules ---------------------------------------------------------------------------------------------------------


def _workers(value: Value) -> str | None:
    return None if isinstance(value, int) and 1 <= value <= 5 else "GC workers must be between 1 and 5"  # noqa: PLR2004


SCAN: Final = resource("harbor:index/interrogationServices:InterrogationServices")
COLLECTION: Final = resource("harbor:index/garbageCollection:GarbageCollection").tuned(
    default={"workers": 1}, validate={"workers": _workers}
)
_SCAN: Final = "/system/scanAll/schedule"
_COLLECT: Final = "/system/gc/schedule"
_NONE: Final = {"schedule": {"type": "None"}, "parameters": {}}


def _set_schedule(harbor: Harbor, path: str, text: str, parameters: Properties) -> None:
    kind, cron = schedule(text)
    body = {"schedule": full({"type": kind, "cron": cron}), "parameters": full(parameters)}
    if harbor.get(path) is None:
        harbor.post(path, body)
    else:
        harbor.put(path, body)


def _shown(found: Properties) -> str:
    when = found.get("schedule") or {}
    return str((when.get("cron") if when.get("type") == "Custom" else when.get("type")) or "")


def _write_scan(data: Data, harbor: Harbor) -> None:
    _set_schedule(harbor, _SCAN, data.get("vulnerabilityScanPolicy"), {})
    if scanner := data.get("defaultScanner"):
        for known in harbor.send("GET", "/scanners").json():
            if known["name"] == scanner.title():
                harbor.send("PATCH", f"/scanners/{known['uuid']}", {"is_default": True})
    _read_scan(data, harbor)


def _read_scan(data: Data, harbor: Harbor) -> None:
    data.id = _SCAN
    try:
        found = harbor.get(_SCAN)
    except ApiError:
        found = None
    if found is None:
        raise PluginError(f"Resource not found {_SCAN}")
    data.set("vulnerabilityScanPolicy", _shown(found))


def _delete_scan(_data: Data, harbor: Harbor) -> None:
    harbor.put(_SCAN, _NONE)


def _write_collection(data: Data, harbor: Harbor) -> None:
    parameters = {"delete_untagged": data.get("deleteUntagged") or None, "workers": data.get("workers")}
    _set_schedule(harbor, _COLLECT, data.get("schedule"), parameters)
    data.id = _COLLECT
    _read_collection(data, harbor)


def _read_collection(data: Data, harbor: Harbor) -> None:
    found = harbor.send("GET", _COLLECT, expect=requests.codes.ok)
    if not found.content:
        raise PluginError("unexpected end of JSON input")
    document = found.json()
    parameters = json.loads(document.get("job_parameters") or "{}")
    data.set("schedule", _shown(document))
    data.set("deleteUntagged", bool(parameters.get("delete_untagged")))
    data.set("workers", parameters.get("workers"))


def _delete_collection(_data: Data, harbor: Harbor) -> None:
    harbor.put(_COLLECT, _NONE)


RESOURCES: Final = {
    item.shape.token: item
    for item in (
        Resource(AUTH, _write_auth, _read_auth, _write_auth, _nothing),
        Resource(SYSTEM, _write_system, _read_system, _write_system, _nothing),
        Resource(SCAN, _write_scan, _read_scan, _write_scan, _delete_scan),
        Resource(COLLECTION, _write_collection, _read_collection, _write_collection, _delete_collection),
    )
}
