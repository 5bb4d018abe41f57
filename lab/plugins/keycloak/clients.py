"""OpenID clients."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from lab.plugins.bridge import Resource
from lab.plugins.keycloak.client import ApiError, Keycloak
from lab.plugins.keycloak.people import two_parts
from lab.plugins.planning import Data, is_zero, same
from lab.plugins.schema import Validate, one_of, resource
from lab.plugins.server import PluginError
from lab.plugins.wire import UNKNOWN, Properties, Value


def quoted(value: bool) -> str:
    """Write a boolean as Keycloak's attributes hold it."""
    return "true" if value else "false"


def not_among(keys: Collection[str]) -> Validate:
    """Make a check that extra attributes repeat none of `keys`, which have properties of their own."""

    def check(value: Value) -> str | None:
        clash = next((key for key in value if key in keys), None) if isinstance(value, dict) else None
        if clash is None:
            return None
        return f'extra_config key "{clash}" is not allowed, as it conflicts with a top-level schema attribute'

    return check


def extra_config(data: Data) -> Properties:
    """Return the extra attributes to send: those that were dropped are sent empty, or the server keeps them."""
    now: Properties = dict(data.get("extraConfig"))
    if not data.new:
        now.update({key: "" for key in data.old("extraConfig") or {} if key not in now})
    return now


def read_extra_config(data: Data, attributes: Mapping[str, Value]) -> None:
    """Record the extra attributes the program set, and no other."""
    wanted = data.get("extraConfig")
    data.set("extraConfig", {key: value for key, value in attributes.items() if key in wanted and value != ""})


# -- clients ----------------------------------------------------------------------------------------------------------

# Properties kept as text or as «true»/«false» among the client's attributes; the last ones are left out when empty.
_TEXTS: Final = {
    "pkceCodeChallengeMethod": "pkce.code.challenge.method",
    "accessTokenLifespan": "access.token.lifespan",
    "loginTheme": "login_theme",
    "consentScreenText": "consent.screen.text",
    "frontchannelLogoutUrl": "frontchannel.logout.url",
    "backchannelLogoutUrl": "backchannel.logout.url",
    "clientOfflineSessionIdleTimeout": "client.offline.session.idle.timeout",
    "clientOfflineSessionMaxLifespan": "client.offline.session.max.lifespan",
    "clientSessionIdleTimeout": "client.session.idle.timeout",
    "clientSessionMaxLifespan": "client.session.max.lifespan",
    "oauth2DeviceCodeLifespan": "oauth2.device.code.lifespan",
    "oauth2DevicePollingInterval": "oauth2.device.polling.interval",
    "oauth2JwtAuthorizationGrantIdp": "oauth2.jwt.authorization.grant.idp",
    "allowRefreshTokenInStandardTokenExchange": "standard.token.exchange.enableRefreshRequestedTokenType",
}
_FLAGS: Final = {
    "requireDpopBoundTokens": "dpop.bound.access.tokens",
    "displayOnConsentScreen": "display.on.consent.screen",
    "useRefreshTokens": "use.refresh.tokens",
    "useRefreshTokensClientCredentials": "client_credentials.use_refresh_token",
    "backchannelLogoutRevokeOfflineSessions": "backchannel.logout.revoke.offline.tokens",
    "backchannelLogoutSessionRequired": "backchannel.logout.session.required",
    "oauth2DeviceAuthorizationGrantEnabled": "oauth2.device.authorization.grant.enabled",
    "oauth2JwtAuthorizationGrantEnabled": "oauth2.jwt.authorization.grant.enabled",
    "standardTokenExchangeEnabled": "standard.token.exchange.enabled",
}
# Sent, but not read back.
_WRITTEN_FLAGS: Final = {
    "excludeSessionStateFromAuthResponse": "exclude.session.state.from.auth.response",
    "excludeIssuerFromAuthResponse": "exclude.issuer.from.auth.response",
}
_LOGOUT_URIS: Final = "post.logout.redirect.uris"
_PLAIN: Final = {
    "clientId": "clientId",
    "name": "name",
    "enabled": "enabled",
    "description": "description",
    "clientAuthenticatorType": "clientAuthenticatorType",
    "standardFlowEnabled": "standardFlowEnabled",
    "implicitFlowEnabled": "implicitFlowEnabled",
    "directAccessGrantsEnabled": "directAccessGrantsEnabled",
    "serviceAccountsEnabled": "serviceAccountsEnabled",
    "frontchannelLogoutEnabled": "frontchannelLogout",
    "adminUrl": "adminUrl",
    "baseUrl": "baseUrl",
    "fullScopeAllowed": "fullScopeAllowed",
    "consentRequired": "consentRequired",
    "alwaysDisplayInConsole": "alwaysDisplayInConsole",
    "validRedirectUris": "redirectUris",
    "webOrigins": "webOrigins",
}
_STICKY: Final = (
    "description", "rootUrl", "adminUrl", "baseUrl", "consentScreenText", "loginTheme", "frontchannelLogoutUrl",
    "backchannelLogoutUrl",
)  # fmt: skip
_OTHER_SECRETS: Final = ("clientSecretWo", "clientSecretWoVersion", "clientSecretRegenerateWhenChanged")

CLIENT: Final = resource(
    "keycloak:openid/client:Client",
    sets=("validRedirectUris", "validPostLogoutRedirectUris", "webOrigins"),
    autoname=("clientId", "name"),
).tuned(
    sticky=dict.fromkeys(_STICKY, True),
    default={
        "enabled": True, "clientAuthenticatorType": "client-secret", "fullScopeAllowed": True,
        "useRefreshTokens": True, "useRefreshTokensClientCredentials": False, "standardTokenExchangeEnabled": False,
        "backchannelLogoutSessionRequired": True, "oauth2DeviceAuthorizationGrantEnabled": False,
        "oauth2JwtAuthorizationGrantEnabled": False, "alwaysDisplayInConsole": False, "import": False,
    },
    validate={
        "accessType": one_of("CONFIDENTIAL", "PUBLIC", "BEARER-ONLY"),
        "pkceCodeChallengeMethod": one_of("", "plain", "S256"),
        "extraConfig": not_among({*_TEXTS.values(), *_FLAGS.values(), *_WRITTEN_FLAGS.values(), _LOGOUT_URIS}),
    },
    conflicts={
        "clientSecret": _OTHER_SECRETS,
        "clientSecretWo": ("clientSecret", "clientSecretRegenerateWhenChanged"),
        "clientSecretWoVersion": ("clientSecret", "clientSecretRegenerateWhenChanged"),
        "clientSecretRegenerateWhenChanged": ("clientSecret", "clientSecretWo", "clientSecretWoVersion"),
    },
    required_with={"clientSecretWo": ("clientSecretWoVersion",), "clientSecretWoVersion": ("clientSecretWo",)},
    write_only={"clientSecretWo": True},
    fields={
        "authorization": {
            "default": {
                "decisionStrategy": "UNANIMOUS", "allowRemoteResourceManagement": False, "keepDefaults": False,
            },
            "validate": {
                "policyEnforcementMode": one_of("ENFORCING", "PERMISSIVE", "DISABLED"),
                "decisionStrategy": one_of("UNANIMOUS", "AFFIRMATIVE", "CONSENSUS"),
            },
        }
    },
)  # fmt: skip


def _plan_client(prior: Properties | None, planned: Properties, _inputs: Mapping[str, Value]) -> set[str]:
    """Other properties follow these two changes, in ways only the server knows."""
    if prior is not None:
        for cause, effect in (
            ("serviceAccountsEnabled", "serviceAccountUserId"),
            ("clientSecretRegenerateWhenChanged", "clientSecret"),
        ):
            before, after = prior.get(cause), planned.get(cause)
            if not (is_zero(before) and is_zero(after)) and not same(CLIENT.fields[cause], before, after):
                planned[effect] = UNKNOWN
    return set()


def clients_path(data: Data) -> str:
    """Return the path of a realm's clients."""
    return f"/realms/{data.get('realmId')}/clients"


def _client_body(data: Data) -> Properties:
    attributes = extra_config(data)
    for name, key in _TEXTS.items():
        # These alone are told apart from an empty text by the server.
        if data.get(name) or name in ("pkceCodeChallengeMethod", "accessTokenLifespan", *_STICKY):
            attributes[key] = data.get(name)
    for name, key in {**_FLAGS, **_WRITTEN_FLAGS}.items():
        attributes[key] = quoted(data.get(name))
    if data.ok("validPostLogoutRedirectUris"):
        attributes[_LOGOUT_URIS] = "##".join(data.get("validPostLogoutRedirectUris"))
    body: Properties = {key: data.get(name) for name, key in _PLAIN.items()}
    kind = data.get("accessType")
    overrides = data.raw("authenticationFlowBindingOverrides") or {}
    body.update(
        protocol="openid-connect",
        publicClient=kind == "PUBLIC",
        bearerOnly=kind == "BEARER-ONLY",
        attributes=attributes,
        authorizationServicesEnabled=data.raw("authorization") is not None,
        authenticationFlowBindingOverrides={
            "browser": overrides.get("browserId") or "",
            "direct_grant": overrides.get("directGrantId") or "",
        },
    )
    if data.raw("rootUrl") is not None:
        body["rootUrl"] = data.get("rootUrl")
    if data.id:
        body["id"] = data.id
    if secret := _secret(data):
        body["secret"] = secret
    authorization = data.raw("authorization")
    if authorization is not None:
        names = ("policyEnforcementMode", "decisionStrategy", "allowRemoteResourceManagement")
        body["authorizationSettings"] = {name: authorization.get(name) for name in names}
    return body


def _secret(data: Data) -> str:
    if not data.ok("clientSecretWoVersion"):
        return str(data.get("clientSecret"))
    return str(data.inputs.get("clientSecretWo") or "") if data.changed("clientSecretWoVersion") else ""


def _check_client(data: Data, keycloak: Keycloak) -> None:
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
            "validation error: Keycloak cannot issue tokens for bearer-only clients; no oauth2 flows can be enabled "
            "for this client",
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
        (
            data.get("standardTokenExchangeEnabled") and kind == "PUBLIC",
            "validation error: standard token exchange cannot be enabled on public clients",
        ),
    )
    for broken, message in rules:
        if broken:
            raise PluginError(message)
    if data.get("loginTheme"):
        keycloak.check_theme("login", data.get("loginTheme"))


def find_client(keycloak: Keycloak, realm: str, client_id: str) -> Properties | None:
    """Return the client of this `clientId`, or None."""
    found: list[Properties] = keycloak.get(f"/realms/{realm}/clients", {"clientId": client_id})
    return found[0] if found else None


def _create_client(data: Data, keycloak: Keycloak) -> None:
    _check_client(data, keycloak)
    if data.get("import"):
        known = find_client(keycloak, data.get("realmId"), data.get("clientId"))
        if known is None:
            raise PluginError(f"openid client with name {data.get('clientId')} does not exist")
        data.id = known["id"]
        keycloak.put(f"{clients_path(data)}/{data.id}", _merged(_client_body(data), known))
    else:
        _, data.id = keycloak.post(clients_path(data), _client_body(data))
        authorization = data.raw("authorization")
        if authorization is not None and not authorization.get("keepDefaults"):
            base = f"{clients_path(data)}/{data.id}/authz/resource-server/resource"
            for item in keycloak.get(base, {"name": "default"}) or []:
                keycloak.delete(f"{base}/{item['_id']}")
    _read_client(data, keycloak)


def _merged(wanted: Properties, known: Properties) -> Properties:
    """Fill what is not set from the object that is taken over."""
    filled = {key: known.get(key) if is_zero(value) else value for key, value in wanted.items()}
    attributes = {key: value for key, value in wanted["attributes"].items() if not is_zero(value)}
    return {**filled, "attributes": {**(known.get("attributes") or {}), **attributes}}


def _update_client(data: Data, keycloak: Keycloak) -> None:
    _check_client(data, keycloak)
    body = _client_body(data)
    if data.changed("clientSecretRegenerateWhenChanged"):
        answer, _ = keycloak.post(f"{clients_path(data)}/{data.id}/client-secret", None)
        body["secret"] = answer["value"]
        data.set("clientSecret", answer["value"])
    keycloak.put(f"{clients_path(data)}/{data.id}", body)
    # Upstream does not read back after an update: what was planned stands, but for what the server decides.
    if data.raw("serviceAccountUserId") is None:
        data.set("serviceAccountUserId", _service_account(data, keycloak, data.get("serviceAccountsEnabled")))
    for name in ("resourceServerId",):
        if data.raw("authorization") is not None:
            data.set(name, data.id)


def _service_account(data: Data, keycloak: Keycloak, enabled: bool) -> str:
    return str(keycloak.get(f"{clients_path(data)}/{data.id}/service-account-user")["id"]) if enabled else ""


def _read_client(data: Data, keycloak: Keycloak) -> None:
    path = f"{clients_path(data)}/{data.id}"
    try:
        client = keycloak.get(path)
        secret = (keycloak.get(f"{path}/client-secret") or {}).get("value")
        settings = None
        if client.get("authorizationServicesEnabled"):
            settings = keycloak.get(f"{path}/authz/resource-server")
        account = _service_account(data, keycloak, bool(client.get("serviceAccountsEnabled")))
    except ApiError as error:
        if not error.missing:
            raise
        data.id = ""
        return
    for name, value in _client_outputs(client).items():
        data.set(name, value)
    read_extra_config(data, client.get("attributes") or {})
    if settings is not None:
        kept = data.raw("authorization") or {}
        names = ("policyEnforcementMode", "decisionStrategy", "allowRemoteResourceManagement")
        data.set("resourceServerId", data.id)
        data.set(
            "authorization",
            {**{name: settings.get(name) for name in names}, "keepDefaults": bool(kept.get("keepDefaults"))},
        )
    data.set("serviceAccountUserId", account)
    if not data.ok("clientSecretWoVersion"):
        data.set("clientSecret", secret)
    data.set("realmId", data.get("realmId"))
    if is_zero(data.raw("import")):
        data.set("import", False)


def _client_outputs(client: Mapping[str, Any]) -> Properties:
    """Return a client as the server has it, by property; its secret and service account are asked apart."""
    attributes: Mapping[str, Any] = client.get("attributes") or {}
    found: Properties = {name: client.get(key) for name, key in _PLAIN.items()}
    found.update({name: attributes.get(key) for name, key in _TEXTS.items()})
    found.update({name: attributes.get(key) == "true" for name, key in _FLAGS.items()})
    found["rootUrl"] = client.get("rootUrl")
    uris = attributes.get(_LOGOUT_URIS)
    found["validPostLogoutRedirectUris"] = uris.split("##") if uris else []
    found["accessType"] = (
        "PUBLIC" if client.get("publicClient") else "BEARER-ONLY" if client.get("bearerOnly") else "CONFIDENTIAL"
    )
    overrides = client.get("authenticationFlowBindingOverrides") or {}
    found["authenticationFlowBindingOverrides"] = (
        {"browserId": overrides.get("browser"), "directGrantId": overrides.get("direct_grant")}
        if any(overrides.values())
        else None
    )
    return found


def _delete_client(data: Data, keycloak: Keycloak) -> None:
    if not data.get("import"):
        keycloak.delete(f"{clients_path(data)}/{data.id}")


def _import_client(data: Data, _keycloak: Keycloak) -> None:
    realm, data.id = two_parts(data, "{{realmId}}/{{openidClientId}}")
    data.set("realmId", realm)
    data.set("import", False)


RESOURCES: Final = {
    CLIENT.token: Resource(
        CLIENT, _create_client, _read_client, _update_client, _delete_client, _import_client, _plan_client
    )
}
