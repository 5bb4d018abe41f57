"""Realms."""

from __future__ import annotations

from typing import Final

from lab.plugins.items import table
from lab.plugins.keycloak.client import KeycloakApiError, KeycloakPluginClient
from lab.plugins.keycloak.items import KeycloakItem, same
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Value

#: Omitted from requests when empty, so that the server keeps its values.
_OMITTED: Final = (
    "organizationsEnabled", "adminPermissionsEnabled", "sslRequired", "offlineSessionMaxLifespanEnabled",
    "oauth2DevicePollingInterval",
)  # fmt: skip
_BRUTE_FORCE: Final[dict[str, tuple[str, Value]]] = {
    "permanentLockout": ("permanentLockout", False),
    "bruteForceStrategy": ("bruteForceStrategy", "MULTIPLE"),
    "maxTemporaryLockouts": ("maxTemporaryLockouts", 0),
    "maxLoginFailures": ("failureFactor", 30),
    "waitIncrementSeconds": ("waitIncrementSeconds", 60),
    "quickLoginCheckMilliSeconds": ("quickLoginCheckMilliSeconds", 1000),
    "minimumQuickLoginWaitSeconds": ("minimumQuickLoginWaitSeconds", 60),
    "maxFailureWaitSeconds": ("maxFailureWaitSeconds", 900),
    "failureResetTimeSeconds": ("maxDeltaTimeSeconds", 43200),
}


class _Realm(KeycloakItem):
    def where(self, _data: Data) -> str:
        return "/realms"

    def check(self, data: Data, _client: KeycloakPluginClient) -> None:
        rules = (
            (
                data.get("duplicateEmailsAllowed") and data.get("registrationEmailAsUsername"),
                "DuplicateEmailsAllowed cannot be true if RegistrationEmailAsUsername is true",
            ),
            (
                data.get("duplicateEmailsAllowed") and data.get("loginWithEmailAllowed"),
                "DuplicateEmailsAllowed cannot be true if LoginWithEmailAllowed is true",
            ),
            (
                data.get("sslRequired") not in ("none", "external", "all"),
                "SslRequired should be 'none', 'external' or 'all'",
            ),
        )
        for broken, message in rules:
            if broken:
                raise PluginError(f"validation error: {message}")

    def body(self, data: Data) -> Properties:
        body = super().body(data)
        body.update({name: data.get(name) for name in _OMITTED if data.ok(name)})
        force = (data.raw("securityDefenses") or {}).get("bruteForceDetection")
        body["bruteForceProtected"] = force is not None
        for name, (key, default) in _BRUTE_FORCE.items():
            value = default if force is None else force.get(name)
            if key != "maxTemporaryLockouts" or value:
                body[key] = value
        return body

    def identified(self, data: Data) -> Properties:
        return {**self.body(data), "id": data.get("internalId") or data.get("realm")}

    def create(self, data: Data, client: KeycloakPluginClient) -> None:
        """Create the realm, and get a new token, which has rights on it."""
        self.check(data, client)
        client.post(self.where(data), self.identified(data))
        data.id = data.get("realm")
        client.refresh()
        self.read(data, client)

    def take(self, data: Data, found: Properties, client: KeycloakPluginClient) -> None:
        data.id = found["realm"]
        super().take(data, found, client)
        if data.raw("securityDefenses") is not None:
            force = {name: found.get(key) for name, (key, _) in _BRUTE_FORCE.items()}
            defenses = {"bruteForceDetection": force} if found.get("bruteForceProtected") else None
            data.set("securityDefenses", defenses)

    def delete(self, data: Data, client: KeycloakPluginClient) -> None:
        """Delete the realm; the first attempt can conflict with the server's clean-up."""
        try:
            super().delete(data, client)
        except KeycloakApiError:
            super().delete(data, client)


RESOURCES: Final = table(
    _Realm(
        shape=resource("keycloak:index/realm:Realm", autoname=("realm",)).tuned(
            sticky={"displayName": True, "displayNameHtml": True},
            default={
                "enabled": True, "userManagedAccess": False, "organizationsEnabled": False, "sslRequired": "external",
                "revokeRefreshToken": False, "refreshTokenMaxReuse": 0, "offlineSessionMaxLifespanEnabled": False,
            },
            fields={
                "securityDefenses": {
                    "fields": {
                        "bruteForceDetection": {"default": {name: value for name, (_, value) in _BRUTE_FORCE.items()}}
                    }
                }
            },
        ),
        collection="",
        always={
            **same(
                "realm", "enabled", "displayName", "displayNameHtml", "registrationAllowed",
                "registrationEmailAsUsername", "editUsernameAllowed", "resetPasswordAllowed", "rememberMe",
                "verifyEmail", "loginWithEmailAllowed", "duplicateEmailsAllowed", "defaultSignatureAlgorithm",
                "revokeRefreshToken", "refreshTokenMaxReuse", "passwordPolicy",
            ),
            "userManagedAccess": "userManagedAccessAllowed",
        },
        read_back={**same(*_OMITTED), "internalId": "id"},
        reread=False,
    )
)  # fmt: skip
