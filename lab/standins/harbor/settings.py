# ruff: noqa: ANN401 - the type of a value depends on the item
"""The system's configuration: items with types and defaults, and the rules for changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from lab.standins.harbor import errors
from lab.standins.harbor.secrecy import SecretCipher
from lab.standins.store import Store

Kind = Literal["string", "required", "bool", "int", "secret", "mode", "restriction", "quota", "scope", "map"]
_DB_AUTH: Final = "db_auth"
MODES: Final = (_DB_AUTH, "ldap_auth", "uaa_auth", "http_auth", "oidc_auth")
_LARGEST_QUOTA: Final = 1024 * 1024**4
_LARGEST_NUMBER: Final = 9_999_999_999


@dataclass(frozen=True, slots=True)
class SettingItem:
    """One item: its type and its default."""

    kind: Kind
    default: Any


def _items(kind: Kind, default: Any, names: str) -> dict[str, SettingItem]:
    return {name: SettingItem(kind, default) for name in names.split()}


ITEMS: Final[Mapping[str, SettingItem]] = {
    "auth_mode": SettingItem("mode", _DB_AUTH),
    **_items("bool", False, "primary_auth_mode read_only self_registration oidc_auto_onboard oidc_logout"),
    **_items("bool", False, "http_authproxy_skip_search uaa_verify_cert skip_audit_log_database"),
    **_items("bool", False, "scanner_skip_update_pulltime ldap_group_attach_parallel"),
    **_items("bool", True, "ldap_verify_cert http_authproxy_verify_cert oidc_verify_cert"),
    **_items("bool", True, "quota_per_project_enable notification_enable"),
    **_items("required", "", "ldap_url ldap_base_dn"),
    "ldap_uid": SettingItem("required", "cn"),
    **_items("string", "", "ldap_filter ldap_search_dn ldap_group_base_dn ldap_group_admin_dn"),
    **_items("string", "", "ldap_group_attribute_name ldap_group_search_filter"),
    "ldap_group_membership_attribute": SettingItem("string", "memberof"),
    **_items("scope", 2, "ldap_scope ldap_group_search_scope"),
    "ldap_timeout": SettingItem("int", 5),
    **_items("secret", "", "ldap_search_password uaa_client_secret oidc_client_secret"),
    **_items("string", "", "uaa_client_id uaa_endpoint http_authproxy_endpoint http_authproxy_admin_groups"),
    **_items("string", "", "http_authproxy_tokenreview_endpoint http_authproxy_admin_usernames"),
    **_items("string", "", "http_authproxy_server_certificate"),
    **_items("string", "", "oidc_name oidc_endpoint oidc_client_id oidc_groups_claim oidc_admin_group"),
    **_items("string", "", "oidc_group_filter oidc_scope oidc_user_claim"),
    "oidc_extra_redirect_parms": SettingItem("map", "{}"),
    "project_creation_restriction": SettingItem("restriction", "everyone"),
    **_items("int", 30, "token_expiration robot_token_duration"),
    "session_timeout": SettingItem("int", 60),
    "robot_name_prefix": SettingItem("required", "robot$"),
    "storage_per_project": SettingItem("quota", -1),
    **_items("string", "", "audit_log_forward_endpoint banner_message disabled_audit_log_event_types"),
}
_POSITIVE: Final = ("token_expiration", "robot_token_duration", "session_timeout")


def valid_quota(value: int) -> str | None:
    """Return the error of a storage limit in bytes (-1 for no limit), or None."""
    if value <= 0 and value != -1:
        return f"invalid non-positive value for quota limit, value={value}"
    if value > _LARGEST_QUOTA:
        return f"exceeded 1024TB, which is {_LARGEST_QUOTA} Bytes, value={value}"
    return None


class HarborConfiguration:
    """The current values in the store, with encrypted secrets."""

    def __init__(self, store: Store, vault: SecretCipher) -> None:
        """Use the values in `store`."""
        self._store = store
        self._vault = vault

    def _document(self) -> dict[str, Any]:
        return self._store.get("configuration", 1) or {"id": 1}

    def get(self, name: str) -> Any:
        """Return the value of an item, also secrets in clear."""
        value = self._document().get(name, ITEMS[name].default)
        return self._vault.unseal(value) if ITEMS[name].kind == "secret" else value

    def shown(self, *, mode_editable: bool) -> dict[str, dict[str, Any]]:
        """Return the answer to `GET /configurations`: all items except secrets."""
        document = self._document()
        return {
            name: {"value": document.get(name, item.default), "editable": mode_editable or name != "auth_mode"}
            for name, item in ITEMS.items()
            if item.kind != "secret"
        }

    def update(self, given: Mapping[str, Any], *, mode_editable: bool) -> None:
        """Update the given items; unknown ones are ignored. If it raises `HarborError`, nothing changes."""
        changes = {name: value for name, value in given.items() if name in ITEMS and value is not None}
        mode = changes.get("auth_mode")
        if mode is not None and mode != self.get("auth_mode") and not mode_editable:
            raise errors.bad_request("the auth mode cannot be modified as new users have been inserted into database")
        for name, value in changes.items():
            if problem := _wrong(name, ITEMS[name].kind, value):
                raise errors.bad_request(problem)
        self._check_audit(changes)
        document = self._document()
        for name, value in changes.items():
            document[name] = self._vault.seal(value) if ITEMS[name].kind == "secret" else value
        self._store.put("configuration", document)

    def _check_audit(self, changes: Mapping[str, Any]) -> None:
        names = ("skip_audit_log_database", "audit_log_forward_endpoint")
        skip, endpoint = (changes.get(name, self.get(name)) for name in names)
        if any(name in changes for name in names) and skip and not endpoint:
            raise errors.bad_request(
                "audit log forward endpoint should be configured before enable skip audit log in database"
            )


def _wrong(name: str, kind: Kind, value: Any) -> str | None:
    """Return the error of a value, or None. JSON types were checked before."""
    if kind == "required" and not value:
        return f"{name}: value can not be empty"
    if kind == "mode" and value not in MODES:
        return f"invalid auth mode: {value}"
    if kind == "restriction" and value not in ("everyone", "adminonly"):
        return f"invalid project creation restriction: {value}"
    if kind == "scope" and value not in (0, 1, 2):
        return f"invalid scope: {value}"
    if kind == "quota":
        return valid_quota(value)
    if name in _POSITIVE:
        if value <= 0:
            return f"the {name} value must be positive"
        if value > _LARGEST_NUMBER:
            return f"the {name} value is over the limit value: {_LARGEST_NUMBER}"
    return None
