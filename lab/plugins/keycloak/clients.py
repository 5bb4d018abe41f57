"""OpenID clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lab.plugins import fields
from lab.plugins.bridge import Customise
from lab.plugins.items import table
from lab.plugins.keycloak.client import KeycloakPluginClient
from lab.plugins.keycloak.items import KeycloakItem, same
from lab.plugins.planning import Data, is_zero
from lab.plugins.planning import same as equal
from lab.plugins.schema import one_of, resource
from lab.plugins.server import PluginError
from lab.plugins.wire import UNKNOWN, Properties, Value


def quoted(value: bool) -> str:
    """Convert a boolean to the text in Keycloak's attributes."""
    return "true" if value else "false"


def is_true(value: str | None) -> bool:
    """Convert a text in Keycloak's attributes to a boolean."""
    return value == "true"


#: Properties that are in the client's attributes.
_ATTRIBUTES: Final = {
    "pkceCodeChallengeMethod": "pkce.code.challenge.method",
    "oauth2DeviceAuthorizationGrantEnabled": "oauth2.device.authorization.grant.enabled",
}
_DEVICE: Final = "oauth2DeviceAuthorizationGrantEnabled"

CLIENT: Final = resource(
    "keycloak:openid/client:Client", sets=("validRedirectUris", "webOrigins"), autoname=("clientId", "name")
).tuned(
    sticky=dict.fromkeys(("description", "adminUrl", "baseUrl"), True),
    default={
        "enabled": True, "clientAuthenticatorType": "client-secret", "fullScopeAllowed": True, _DEVICE: False,
        "alwaysDisplayInConsole": False,
    },
    validate={
        "accessType": one_of("CONFIDENTIAL", "PUBLIC", "BEARER-ONLY"),
        "pkceCodeChallengeMethod": one_of("", "plain", "S256"),
    },
)  # fmt: skip


def _plan(prior: Properties | None, planned: Properties, _inputs: Mapping[str, Value]) -> set[str]:
    """Make the service account unknown if it is switched on or off."""
    if prior is not None:
        name = "serviceAccountsEnabled"
        before, after = prior.get(name), planned.get(name)
        if not (is_zero(before) and is_zero(after)) and not equal(CLIENT.fields[name], before, after):
            planned["serviceAccountUserId"] = UNKNOWN
    return set()


class _Client(KeycloakItem):
    def customise(self) -> Customise:
        return _plan

    def body(self, data: Data) -> Properties:
        kind, secret = data.get("accessType"), data.get("clientSecret")
        return {
            **super().body(data),
            "protocol": "openid-connect",
            "publicClient": kind == "PUBLIC",
            "bearerOnly": kind == "BEARER-ONLY",
            "attributes": fields.always(data, _ATTRIBUTES, {_DEVICE: quoted}),
            **({"secret": secret} if secret else {}),
        }

    def check(self, data: Data, _client: KeycloakPluginClient) -> None:
        standard, implicit, direct = (
            data.get(name) for name in ("standardFlowEnabled", "implicitFlowEnabled", "directAccessGrantsEnabled")
        )
        service, kind = data.get("serviceAccountsEnabled"), data.get("accessType")
        rules = (
            (
                not (implicit or standard) and data.ok("validRedirectUris"),
                "valid_redirect_uris cannot be set when standard or implicit flow is not enabled",
            ),
            (
                not (implicit or standard or direct) and data.ok("webOrigins"),
                "web_origins cannot be set when standard or implicit flow is not enabled",
            ),
            (
                kind == "BEARER-ONLY" and (standard or implicit or direct or service),
                "validation error: Keycloak cannot issue tokens for bearer-only clients; no oauth2 flows can be "
                "enabled for this client",
            ),
            (
                (standard or implicit) and not data.ok("validRedirectUris"),
                "validation error: standard (authorization code) and implicit flows require at least one valid "
                "redirect uri",
            ),
            (
                service and kind == "PUBLIC",
                "validation error: service accounts (client credentials flow) cannot be enabled on public clients",
            ),
        )
        for broken, message in rules:
            if broken:
                raise PluginError(message)

    def update(self, data: Data, client: KeycloakPluginClient) -> None:
        """Update it. Like upstream, only values that the server decides are read back."""
        super().update(data, client)
        if data.raw("serviceAccountUserId") is None:
            data.set("serviceAccountUserId", self._account(data, client, data.get("serviceAccountsEnabled")))

    def _account(self, data: Data, client: KeycloakPluginClient, enabled: bool) -> str:
        return str(client.get(f"{self.path(data)}/service-account-user")["id"]) if enabled else ""

    def found(self, data: Data, client: KeycloakPluginClient) -> Properties:
        """Return the client with its secret and its service account, which need separate requests."""
        answer = super().found(data, client)
        secret = (client.get(f"{self.path(data)}/client-secret") or {}).get("value")
        account = self._account(data, client, bool(answer.get("serviceAccountsEnabled")))
        return {**answer, "secret": secret, "account": account}

    def take(self, data: Data, found: Properties, client: KeycloakPluginClient) -> None:
        super().take(data, found, client)
        fields.take(data, _ATTRIBUTES, found.get("attributes") or {}, decode={_DEVICE: is_true})
        kind = "PUBLIC" if found.get("publicClient") else "BEARER-ONLY" if found.get("bearerOnly") else "CONFIDENTIAL"
        data.set("accessType", kind)


RESOURCES: Final = table(
    _Client(
        shape=CLIENT,
        collection="clients",
        imported="{{realmId}}/{{openidClientId}}",
        reread=False,
        always={
            **same(
                "clientId", "name", "enabled", "description", "clientAuthenticatorType", "standardFlowEnabled",
                "implicitFlowEnabled", "directAccessGrantsEnabled", "serviceAccountsEnabled", "adminUrl", "baseUrl",
                "fullScopeAllowed", "consentRequired", "alwaysDisplayInConsole", "webOrigins",
            ),
            "frontchannelLogoutEnabled": "frontchannelLogout",
            "validRedirectUris": "redirectUris",
        },
        read_back={"clientSecret": "secret", "serviceAccountUserId": "account"},
    )
)  # fmt: skip
