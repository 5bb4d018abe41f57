# ruff: noqa: ANN401 - JSON from a server
"""Realms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lab.plugins.bridge import Resource
from lab.plugins.keycloak.client import ApiError, Keycloak
from lab.plugins.planning import Data, is_zero
from lab.plugins.schema import one_of, resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Value

_PASSKEYS: Final = (26, 3, 5)
_RESIDENT_KEY: Final = (26, 7, 0)
_SSL: Final = ("none", "external", "all")

_PLAIN: Final = (
    "realm", "enabled", "displayName", "displayNameHtml", "organizationsEnabled", "adminPermissionsEnabled",
    "registrationAllowed", "registrationEmailAsUsername", "editUsernameAllowed", "resetPasswordAllowed", "rememberMe",
    "verifyEmail", "loginWithEmailAllowed", "duplicateEmailsAllowed", "sslRequired", "loginTheme", "accountTheme",
    "adminTheme", "emailTheme", "defaultSignatureAlgorithm", "revokeRefreshToken", "refreshTokenMaxReuse",
    "offlineSessionMaxLifespanEnabled", "oauth2DevicePollingInterval", "passwordPolicy",
)  # fmt: skip
# Left out of requests when empty: the server then keeps what it has.
_OMITTED: Final = frozenset(
    {
        "organizationsEnabled", "adminPermissionsEnabled", "sslRequired", "loginTheme", "accountTheme", "adminTheme",
        "emailTheme", "offlineSessionMaxLifespanEnabled", "oauth2DevicePollingInterval",
    }
)  # fmt: skip
_DURATIONS: Final = (
    "ssoSessionIdleTimeout", "ssoSessionMaxLifespan", "ssoSessionIdleTimeoutRememberMe",
    "ssoSessionMaxLifespanRememberMe", "offlineSessionIdleTimeout", "offlineSessionMaxLifespan",
    "clientSessionIdleTimeout", "clientSessionMaxLifespan", "accessTokenLifespan",
    "accessTokenLifespanForImplicitFlow", "accessCodeLifespan", "accessCodeLifespanLogin",
    "accessCodeLifespanUserAction", "actionTokenGeneratedByUserLifespan", "actionTokenGeneratedByAdminLifespan",
    "oauth2DeviceCodeLifespan",
)  # fmt: skip
_FLOWS: Final = {
    "browserFlow": "browser",
    "registrationFlow": "registration",
    "directGrantFlow": "direct grant",
    "resetCredentialsFlow": "reset credentials",
    "clientAuthenticationFlow": "clients",
    "dockerAuthenticationFlow": "docker auth",
    "firstBrokerLoginFlow": "first broker login",
}
_SCOPES: Final = ("defaultDefaultClientScopes", "defaultOptionalClientScopes")
_OTP: Final = ("type", "algorithm", "digits", "initialCounter", "lookAheadWindow", "period", "codeReusable")
_OTP_DEFAULTS: Final = {
    "type": "totp", "algorithm": "HmacSHA1", "digits": 6, "initialCounter": 2, "lookAheadWindow": 1, "period": 30,
    "codeReusable": False,
}  # fmt: skip
_WEBAUTHN: Final = {
    "acceptableAaguids": "AcceptableAaguids",
    "extraOrigins": "ExtraOrigins",
    "attestationConveyancePreference": "AttestationConveyancePreference",
    "authenticatorAttachment": "AuthenticatorAttachment",
    "avoidSameAuthenticatorRegister": "AvoidSameAuthenticatorRegister",
    "createTimeout": "CreateTimeout",
    "requireResidentKey": "RequireResidentKey",
    "discoverableCredential": "ResidentKey",
    "relyingPartyEntityName": "RpEntityName",
    "relyingPartyId": "RpId",
    "signatureAlgorithms": "SignatureAlgorithms",
    "userVerificationRequirement": "UserVerificationRequirement",
}
_UNSAID: Final = "not specified"
_WEBAUTHN_DEFAULTS: Final = {
    "attestationConveyancePreference": _UNSAID, "authenticatorAttachment": _UNSAID,
    "avoidSameAuthenticatorRegister": False, "createTimeout": 0, "requireResidentKey": _UNSAID,
    "discoverableCredential": _UNSAID, "relyingPartyEntityName": "keycloak", "relyingPartyId": "",
    "userVerificationRequirement": _UNSAID,
}  # fmt: skip
_WEBAUTHN_CHECKS: Final = {
    "attestationConveyancePreference": one_of(_UNSAID, "none", "indirect", "direct", "enterprise"),
    "authenticatorAttachment": one_of(_UNSAID, "platform", "cross-platform"),
    "requireResidentKey": one_of(_UNSAID, "Yes", "No"),
    "discoverableCredential": one_of(_UNSAID, "required", "preferred", "discouraged"),
    "userVerificationRequirement": one_of(_UNSAID, "required", "preferred", "discouraged"),
}
_HEADERS: Final = {
    "contentSecurityPolicy": ("contentSecurityPolicy", "frame-src 'self'; frame-ancestors 'self'; object-src 'none';"),
    "contentSecurityPolicyReportOnly": ("contentSecurityPolicyReportOnly", ""),
    "strictTransportSecurity": ("strictTransportSecurity", "max-age=31536000; includeSubDomains"),
    "xContentTypeOptions": ("xContentTypeOptions", "nosniff"),
    "xFrameOptions": ("xFrameOptions", "SAMEORIGIN"),
    "xRobotsTag": ("xRobotsTag", "none"),
    "xXssProtection": ("xXSSProtection", "1; mode=block"),
    "referrerPolicy": ("referrerPolicy", "no-referrer"),
}
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
_SMTP_TEXTS: Final = (
    "port", "host", "replyTo", "replyToDisplayName", "from", "fromDisplayName", "envelopeFrom",
)  # fmt: skip
_SMTP_FLAGS: Final = {"starttls": "starttls", "ssl": "ssl", "allowUtf8": "allowutf8"}
_SMTP_TOKEN: Final = {
    "username": "user", "url": "authTokenUrl", "clientId": "authTokenClientId",
    "clientSecret": "authTokenClientSecret", "scope": "authTokenScope",
}  # fmt: skip
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_MASK: Final = "**********"


def seconds(text: str) -> int:
    """Read a Go duration: `1h30m` -> 5400; raises `PluginError` when it is none."""
    if not re.fullmatch(r"([\d.]+(h|ms|m|s|us|µs|ns))+|0", text):
        raise PluginError(f'time: invalid duration "{text}"')
    return int(sum(float(n) * _UNITS[unit] for n, unit in re.findall(r"([\d.]+)(h|ms|m|s|us|µs|ns)", text)))


def duration(number: Any) -> str:
    """Write seconds as Go does: 5400 -> `1h30m0s`."""
    left = int(number or 0)
    hours, minutes, rest = left // 3600, left % 3600 // 60, left % 60
    return (f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else "") + f"{rest}s"


def _same_duration(old: Value, new: Value, _plan: Properties) -> bool:
    try:
        return not is_zero(old) and not is_zero(new) and seconds(old) == seconds(new)
    except PluginError:
        return False


def _masked(old: Value, new: Value, _plan: Properties) -> bool:
    """The server hides the mail password: a state read from it alone says nothing about a change."""

    def shown(value: Value) -> Value:
        auth = (value or {}).get("auth") or {}
        return {**(value or {}), "auth": {**auth, "password": None} if auth else None}

    password = ((old or {}).get("auth") or {}).get("password")
    return password == _MASK and bool(shown(old) == shown(new))


REALM: Final = resource(
    "keycloak:index/realm:Realm",
    sets=(*_SCOPES, "supportedLocales", "acceptableAaguids", "extraOrigins", "signatureAlgorithms"),
    autoname=("realm",),
).tuned(
    sticky={"displayName": True, "displayNameHtml": True},
    default={
        "enabled": True, "userManagedAccess": False, "organizationsEnabled": False, "sslRequired": "external",
        "terraformDeletionProtection": False, "revokeRefreshToken": False, "refreshTokenMaxReuse": 0,
        "offlineSessionMaxLifespanEnabled": False,
    },
    suppress={**dict.fromkeys(_DURATIONS, _same_duration), "smtpServer": _masked},
    fields={
        "otpPolicy": {
            "default": _OTP_DEFAULTS,
            "validate": {"type": one_of("totp", "hotp"), "algorithm": one_of("HmacSHA1", "HmacSHA256", "HmacSHA512")},
        },
        "webAuthnPolicy": {
            "default": _WEBAUTHN_DEFAULTS, "validate": _WEBAUTHN_CHECKS, "deprecated": {"requireResidentKey": True},
            "computed": {"signatureAlgorithms": True},
        },
        "webAuthnPasswordlessPolicy": {
            "default": _WEBAUTHN_DEFAULTS, "validate": _WEBAUTHN_CHECKS, "deprecated": {"requireResidentKey": True},
            "computed": {"signatureAlgorithms": True},
        },
        "securityDefenses": {
            "fields": {
                "headers": {"default": {name: default for name, (_, default) in _HEADERS.items()}},
                "bruteForceDetection": {"default": {name: default for name, (_, default) in _BRUTE_FORCE.items()}},
            }
        },
    },
)  # fmt: skip


# -- what is sent -----------------------------------------------------------------------------------------------------


def _body(data: Data, keycloak: Keycloak) -> Properties:
    name = data.get("realm")
    body: Properties = {"id": data.get("internalId") or name}
    for prop in _PLAIN:
        if prop not in _OMITTED or data.ok(prop):
            body[prop] = data.get(prop)
    body["userManagedAccessAllowed"] = data.get("userManagedAccess")
    for prop in _DURATIONS:
        if data.get(prop) and (number := seconds(data.get(prop))):
            body[prop] = number
    for prop, default in _FLOWS.items():
        body[prop] = data.get(prop) or default
    for prop in _SCOPES:
        if data.ok(prop):
            body[prop] = data.get(prop)
    body["attributes"] = data.get("attributes")
    body["smtpServer"] = _smtp_body(data.raw("smtpServer"))
    languages = data.raw("internationalization")
    body["internationalizationEnabled"] = languages is not None
    body["supportedLocales"] = (languages or {}).get("supportedLocales") or []
    body["defaultLocale"] = (languages or {}).get("defaultLocale") or ""
    defenses = data.raw("securityDefenses") or {}
    headers = defenses.get("headers") or {n: default for n, (_, default) in _HEADERS.items()}
    body["browserSecurityHeaders"] = {key: headers.get(n) or "" for n, (key, _) in _HEADERS.items()}
    force = defenses.get("bruteForceDetection")
    body["bruteForceProtected"] = force is not None
    for n, (key, default) in _BRUTE_FORCE.items():
        value = default if force is None else force.get(n)
        if key != "maxTemporaryLockouts" or value:
            body[key] = value
    for n, value in (data.raw("otpPolicy") or {}).items():
        if value or n == "codeReusable":
            body[f"otpPolicy{n[0].upper()}{n[1:]}"] = value or False
    for prop, prefix in (
        ("webAuthnPolicy", "webAuthnPolicy"),
        ("webAuthnPasswordlessPolicy", "webAuthnPolicyPasswordless"),
    ):
        body.update(_webauthn_body(data.raw(prop), prefix, prop, name, keycloak))
    return body


def _webauthn_body(
    policy: Mapping[str, Value] | None, prefix: str, prop: str, realm: str, keycloak: Keycloak
) -> Properties:
    if policy is None:
        return {}
    body: Properties = {}
    for name, key in _WEBAUTHN.items():
        value = policy.get(name)
        if name == "discoverableCredential":
            if keycloak.at_least(*_RESIDENT_KEY):
                if value:
                    body[prefix + key] = value
            elif value not in (None, "", _UNSAID):
                raise PluginError(
                    f'discoverable_credential in {prop} for realm "{realm}" is not supported by your Keycloak version '
                    "(requires >= 26.7.0)"
                )
        elif name != "extraOrigins" or value:
            body[prefix + key] = value
    if "passwordlessPasskeysEnabled" in policy:
        if keycloak.at_least(*_PASSKEYS):
            body[f"{prefix}PasskeysEnabled"] = bool(policy["passwordlessPasskeysEnabled"])
        elif policy["passwordlessPasskeysEnabled"]:
            raise PluginError(
                f'passwordless_passkeys_enabled in {prop} for realm "{realm}" is not supported by your Keycloak '
                "version (requires >= 26.3.5)"
            )
    return body


def _smtp_body(server: Mapping[str, Value] | None) -> Properties:
    if server is None:
        return {}
    body: Properties = {name: server[name] for name in _SMTP_TEXTS if server.get(name)}
    body.update({key: "true" if server.get(name) else "false" for name, key in _SMTP_FLAGS.items()})
    basic, token = server.get("auth"), server.get("tokenAuth")
    body["auth"] = "true" if basic or token else "false"
    if basic:
        body.update(authType="basic", user=basic["username"], password=basic["password"])
    elif token:
        body.update({"authType": "token", **{key: token[name] for name, key in _SMTP_TOKEN.items()}})
    return body


def _check(data: Data, keycloak: Keycloak) -> None:
    languages = data.raw("internationalization")
    rules = (
        (
            data.get("duplicateEmailsAllowed") and data.get("registrationEmailAsUsername"),
            "DuplicateEmailsAllowed cannot be true if RegistrationEmailAsUsername is true",
        ),
        (
            data.get("duplicateEmailsAllowed") and data.get("loginWithEmailAllowed"),
            "DuplicateEmailsAllowed cannot be true if LoginWithEmailAllowed is true",
        ),
        (data.get("sslRequired") not in _SSL, "SslRequired should be 'none', 'external' or 'all'"),
        (
            languages is not None and languages["defaultLocale"] not in languages["supportedLocales"],
            "DefaultLocale should be in the SupportLocales",
        ),
    )
    for broken, message in rules:
        if broken:
            raise PluginError(f"validation error: {message}")
    for kind in ("login", "account", "admin", "email"):
        keycloak.check_theme(kind, data.get(f"{kind}Theme"))


# -- what is read -----------------------------------------------------------------------------------------------------


def _realm_outputs(realm: Mapping[str, Any], keycloak: Keycloak) -> Properties:
    """Return a realm as the server has it, by property; attributes and security defenses depend on the program."""
    found: Properties = {name: realm.get(name) for name in _PLAIN}
    found["internalId"] = realm.get("id")
    found["userManagedAccess"] = realm.get("userManagedAccessAllowed")
    found.update({name: duration(realm.get(name)) for name in _DURATIONS})
    found.update({name: realm.get(name) for name in (*_FLOWS, *_SCOPES)})
    found["smtpServer"] = _smtp_outputs(realm.get("smtpServer") or {})
    found["internationalization"] = (
        {"supportedLocales": realm.get("supportedLocales") or [], "defaultLocale": realm.get("defaultLocale") or ""}
        if realm.get("internationalizationEnabled")
        else None
    )
    found["otpPolicy"] = {name: realm.get(f"otpPolicy{name[0].upper()}{name[1:]}") for name in _OTP}
    for prop, prefix in (
        ("webAuthnPolicy", "webAuthnPolicy"),
        ("webAuthnPasswordlessPolicy", "webAuthnPolicyPasswordless"),
    ):
        policy: Properties = {name: realm.get(prefix + key) for name, key in _WEBAUTHN.items()}
        for name in ("acceptableAaguids", "extraOrigins", "signatureAlgorithms"):
            policy[name] = policy[name] or []
        if not keycloak.at_least(*_RESIDENT_KEY) or not policy["discoverableCredential"]:
            policy["discoverableCredential"] = _UNSAID
        if prop == "webAuthnPasswordlessPolicy" and keycloak.at_least(*_PASSKEYS):
            policy["passwordlessPasskeysEnabled"] = bool(realm.get(f"{prefix}PasskeysEnabled"))
        found[prop] = policy
    return found


def _smtp_outputs(server: Mapping[str, Any]) -> Properties | None:
    if not any(server.values()):
        return None
    found: Properties = {name: server.get(name) or "" for name in _SMTP_TEXTS}
    found.update({name: server.get(key) == "true" for name, key in _SMTP_FLAGS.items()})
    if server.get("auth") == "true":
        if server.get("authType") == "token":
            found["tokenAuth"] = {name: server.get(key) or "" for name, key in _SMTP_TOKEN.items()}
        else:
            found["auth"] = {"username": server.get("user") or "", "password": server.get("password") or ""}
    return found


def _defenses_outputs(realm: Mapping[str, Any]) -> tuple[Properties, Properties | None]:
    """Return the security headers, and the brute force detection when it is on."""
    headers = realm.get("browserSecurityHeaders") or {}
    force = {name: realm.get(key) for name, (key, _) in _BRUTE_FORCE.items()}
    return (
        {name: headers.get(key) or "" for name, (key, _) in _HEADERS.items()},
        force if realm.get("bruteForceProtected") else None,
    )


def _read(data: Data, keycloak: Keycloak) -> None:
    try:
        realm = keycloak.get(f"/realms/{data.id}")
    except ApiError as error:
        if not error.missing:
            raise
        data.id = ""
        return
    data.id = realm["realm"]
    found = _realm_outputs(realm, keycloak)
    mine, theirs = data.raw("smtpServer"), found["smtpServer"]
    if mine and mine.get("auth") and theirs and theirs.get("auth"):
        theirs["auth"]["password"] = mine["auth"].get("password")
    for name, value in found.items():
        data.set(name, value)
    if is_zero(data.raw("terraformDeletionProtection")):
        data.set("terraformDeletionProtection", False)
    given = data.raw("securityDefenses")
    if given is not None:
        headers, force = _defenses_outputs(realm)
        wanted = bool(given.get("headers"))
        data.set(
            "securityDefenses",
            {"headers": headers if wanted else None, "bruteForceDetection": force} if wanted or force else None,
        )
    attributes = realm.get("attributes") or {}
    data.set("attributes", {key: attributes.get(key) for key in data.get("attributes")})


def _create(data: Data, keycloak: Keycloak) -> None:
    _check(data, keycloak)
    keycloak.post("/realms", _body(data, keycloak))
    data.id = data.get("realm")
    keycloak.refresh()
    _read(data, keycloak)


def _update(data: Data, keycloak: Keycloak) -> None:
    _check(data, keycloak)
    keycloak.put(f"/realms/{data.get('realm')}", _body(data, keycloak))


def _delete(data: Data, keycloak: Keycloak) -> None:
    if data.get("terraformDeletionProtection"):
        raise PluginError(
            f"Deletion protection is enabled for keycloak_realm resource with realm {data.id} "
            f"(ID: {data.get('internalId')}). To delete this resource, first set `terraform_deletion_protection` to "
            "`false`."
        )
    try:
        keycloak.delete(f"/realms/{data.id}")
    except ApiError:
        keycloak.delete(f"/realms/{data.id}")  # the first try may meet the server's own clean-up


RESOURCES: Final = {REALM.token: Resource(REALM, _create, _read, _update, _delete)}
