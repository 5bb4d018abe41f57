# ruff: noqa: ANN401 - JSON from a server
"""JWT and Kubernetes authentication: their mounts' configuration and their roles."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final

from lab.plugins.bridge import Resource
from lab.plugins.fields import snake
from lab.plugins.planning import Data, is_zero
from lab.plugins.schema import one_of, resource
from lab.plugins.server import PluginError, refused
from lab.plugins.vault.client import RefusedError, Vault
from lab.plugins.vault.mounts import TUNE_CHECKS, delete_auth, get_mount, move_auth, moved, read_tune, tune_body
from lab.plugins.wire import UNKNOWN, Properties, Value, has_unknown

_TOKEN_FIELDS: Final = (
    "tokenBoundCidrs", "tokenMaxTtl", "tokenTtl", "tokenExplicitMaxTtl", "tokenNoDefaultPolicy", "tokenPeriod",
    "tokenPolicies", "tokenType", "tokenNumUses", "aliasMetadata",
)  # fmt: skip
_TOKEN_SETS: Final = ("tokenBoundCidrs", "tokenPolicies")


def _trimmed(text: str) -> str:
    return text.strip("/")


# -- JWT / OIDC mount -------------------------------------------------------------------------------------------------

_SOURCES: Final = ("oidcDiscoveryUrl", "jwksUrl", "jwtValidationPubkeys", "providerConfig", "jwksPairs")
_CONFIG: Final = (
    "oidcDiscoveryUrl", "oidcDiscoveryCaPem", "oidcClientId", "oidcClientSecret", "oidcResponseMode",
    "oidcResponseTypes", "jwksUrl", "jwksCaPem", "jwksPairs", "jwtValidationPubkeys", "boundIssuer",
    "jwtSupportedAlgs", "defaultRole", "providerConfig", "namespaceInState",
)  # fmt: skip
_BOOLEANS: Final = ("fetch_groups", "fetch_user_info")
_NUMBERS: Final = ("groups_recurse_max_depth", "groups_cap")


def _no_final_slash(value: Value) -> str | None:
    return f"invalid value {value!r}, cannot contain trailing slashes" if str(value).endswith("/") else None


JWT: Final = resource("vault:jwt/authBackend:AuthBackend").tuned(
    default={"path": "jwt", "type": "jwt", "local": False, "namespaceInState": True, "disableRemount": False},
    validate={"path": _no_final_slash, "type": one_of("jwt", "oidc")},
    conflicts={
        "oidcDiscoveryUrl": ("jwksUrl", "jwtValidationPubkeys"),
        "jwksUrl": ("oidcDiscoveryUrl", "jwtValidationPubkeys"),
        "jwksPairs": ("jwksUrl", "jwksCaPem"),
        "jwtValidationPubkeys": ("jwksUrl", "oidcDiscoveryUrl"),
        "oidcClientSecret": ("oidcClientSecretWo",),
        "oidcClientSecretWo": ("oidcClientSecret",),
    },
    required_with={"oidcClientSecretWoVersion": ("oidcClientSecretWo",)},
    write_only={"oidcClientSecretWo": True},
    fields={"tune": {"validate": TUNE_CHECKS}},
)


def _jwt_plan(prior: Properties | None, planned: Properties, inputs: Mapping[str, Value]) -> set[str]:
    if not any(has_unknown(planned[name]) or not is_zero(planned[name]) for name in _SOURCES):
        raise PluginError(
            "exactly one of oidc_discovery_url, jwks_url, jwks_pairs, or jwt_validation_pubkeys should be provided"
        )
    return moved(prior, planned, inputs)


def _create_jwt(data: Data, vault: Vault) -> None:
    path = data.get("path")
    body = {"type": data.get("type"), "description": data.get("description"), "local": data.get("local"), "config": {}}
    with refused("error writing to Vault"):
        vault.request("POST", f"sys/auth/{path}", body, at=data)
    data.id = path
    _update_jwt(data, vault)


def _provider_config(values: Mapping[str, str]) -> Properties:
    converted: Properties = dict(values)
    try:
        for name in _BOOLEANS:
            if name in converted:
                converted[name] = {"true": True, "false": False}[converted[name].lower()]
        for name in _NUMBERS:
            if name in converted:
                converted[name] = int(converted[name])
    except (KeyError, ValueError):
        raise PluginError(f"could not convert {name} of providerConfig") from None
    return converted


def _update_jwt(data: Data, vault: Vault) -> None:
    if not data.new:
        move_auth(data, vault)
    path = data.get("path")
    body: Properties = {}
    for name in _CONFIG:
        if data.raw(name) is None and not data.changed(name):
            continue
        if name == "oidcClientSecret" and not data.ok(name):
            continue
        value = data.get(name)
        body[snake(name)] = _provider_config(value) if name == "providerConfig" else value
    if data.ok("oidcClientSecretWoVersion") and data.inputs.get("oidcClientSecretWo"):
        body["oidc_client_secret"] = data.inputs["oidcClientSecretWo"]
    with refused(f"error updating configuration to Vault for path {path}"):
        vault.write(f"auth/{path}/config", body, at=data)
    if data.changed("tune") and data.raw("tune") is not None:
        vault.request("POST", f"sys/mounts/auth/{path}/tune", tune_body(data.raw("tune")), at=data)
    _read_jwt(data, vault)


def _read_jwt(data: Data, vault: Vault) -> None:
    path = data.raw("path") or data.id
    data.set("path", path)
    mount = get_mount(vault, f"sys/auth/{path}", data)
    config = None if mount is None else vault.read(f"auth/{path}/config", at=data)
    if mount is None or config is None:
        data.id = ""
        return
    data.set("type", mount["type"])
    data.set("local", mount.get("local"))
    data.set("accessor", mount.get("accessor"))
    for name in _CONFIG:
        if name == "oidcClientSecret":
            continue  # never returned: the state keeps what was applied last
        value = config.get(snake(name))
        if name == "providerConfig" and isinstance(value, dict):
            value = {**data.get(name), **value}
        data.set(name, value)
    read_tune(data, vault, path)


# -- roles ------------------------------------------------------------------------------------------------------------


def write_token_fields(data: Data, body: Properties) -> None:
    """Put the token parameters every role has into a request: what is set at first, then what changes."""
    for name in _TOKEN_FIELDS:
        wanted = data.ok(name) or (name == "tokenNoDefaultPolicy" and data.raw(name) is not None)
        if wanted if data.new else data.changed(name):
            body[snake(name)] = data.get(name)


def read_token_fields(data: Data, found: Properties) -> None:
    """Record the token parameters; a host address gets back the prefix the server strips."""
    for name in _TOKEN_FIELDS:
        value = found.get(snake(name))
        if name == "tokenBoundCidrs":
            known = set(data.get(name))
            value = [item if item in known else _cidr(item) for item in value or []]
        data.set(name, value)


def _cidr(address: str) -> str:
    return address if "/" in address else str(ipaddress.ip_network(address))


def _role_path(data: Data) -> str:
    return f"auth/{_trimmed(data.get('backend'))}/role/{_trimmed(data.get('roleName'))}"


def _split_role(data: Data, kind: str) -> tuple[str, str]:
    match = re.fullmatch(r"auth/(.+)/role/(.+)", data.id)
    if match is None:
        raise PluginError(f'invalid path "{data.id}" for {kind}: no backend found')
    return match[1], match[2]


JWT_ROLE: Final = resource(
    "vault:jwt/authBackendRole:AuthBackendRole",
    sets=(*_TOKEN_SETS, "boundAudiences", "allowedRedirectUris", "oidcScopes"),
).tuned(
    default={
        "backend": "jwt", "tokenType": "default", "clockSkewLeeway": 0, "expirationLeeway": 0, "notBeforeLeeway": 0,
        "disableBoundClaimsParsing": False, "verboseOidcLogging": False, "userClaimJsonPointer": False,
    },
    normalise={"backend": _trimmed},
)  # fmt: skip


def _write_jwt_role(data: Data, vault: Vault) -> None:
    path = _role_path(data) if data.new else data.id
    body: Properties = {}
    write_token_fields(data, body)
    for name in ("boundAudiences", "userClaim", "userClaimJsonPointer", "clockSkewLeeway", "expirationLeeway",
                 "notBeforeLeeway", "verboseOidcLogging"):  # fmt: skip
        body[snake(name)] = data.get(name)
    for name in ("maxAge", "allowedRedirectUris", "roleType", "oidcScopes", "claimMappings"):
        if data.ok(name):
            body[snake(name)] = data.get(name)
    for name in ("boundSubject", "boundClaimsType", "groupsClaim"):
        if data.raw(name) is not None:
            body[snake(name)] = data.get(name)
    whole = data.get("disableBoundClaimsParsing")
    body["bound_claims"] = {
        key: [value.strip()] if whole else [item.strip() for item in value.split(",")]
        for key, value in data.get("boundClaims").items()
    }
    doing = "writing" if data.new else "updating"
    with refused(f'error {doing} JWT auth backend role "{path}"'):
        vault.write(path, body, at=data)
    data.id = path
    _read_jwt_role(data, vault)


def _read_jwt_role(data: Data, vault: Vault) -> None:
    backend, role = _split_role(data, "JWT auth backend role")
    found = vault.read(data.id, at=data)
    if found is None:
        data.id = ""
        return
    read_token_fields(data, found)
    data.set("boundAudiences", found.get("bound_audiences"))
    data.set("oidcScopes", found.get("oidc_scopes"))
    for name in ("userClaim", "roleType", "boundSubject", "groupsClaim"):
        data.set(name, found.get(snake(name)))
    for name in ("allowedRedirectUris", "boundClaimsType", "claimMappings", "clockSkewLeeway", "expirationLeeway",
                 "notBeforeLeeway", "verboseOidcLogging", "userClaimJsonPointer", "maxAge"):  # fmt: skip
        if found.get(snake(name)) is not None:
            data.set(name, found[snake(name)])
    if found.get("bound_claims") is not None:
        data.set("boundClaims", {key: _joined(value) for key, value in found["bound_claims"].items()})
    data.set("backend", backend)
    data.set("roleName", role)


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    if isinstance(value, str):
        return value
    raise PluginError(f"bound claim is not a string or list: {value}")


def _delete_role(data: Data, vault: Vault) -> None:
    try:
        vault.delete(data.id, at=data)
    except RefusedError as fault:
        if fault.status != 404:  # noqa: PLR2004 - HTTP; gone with its mount
            raise PluginError(f'error deleting auth backend role "{data.id}": {fault}') from None


KUBERNETES_ROLE: Final = resource(
    "vault:kubernetes/authBackendRole:AuthBackendRole",
    sets=(*_TOKEN_SETS, "boundServiceAccountNames", "boundServiceAccountNamespaces"),
).tuned(
    default={"backend": "kubernetes", "tokenType": "default", "audience": ""},
    normalise={"backend": _trimmed},
)
_KUBERNETES_ROLE_FIELDS: Final = (
    "boundServiceAccountNames", "boundServiceAccountNamespaces", "boundServiceAccountNamespaceSelector", "audience",
    "aliasNameSource",
)  # fmt: skip


def _write_kubernetes_role(data: Data, vault: Vault) -> None:
    path = _role_path(data) if data.new else data.id
    body: Properties = {}
    write_token_fields(data, body)
    for name in ("boundServiceAccountNames", "boundServiceAccountNamespaces"):
        if data.ok(name):
            body[snake(name)] = data.get(name)
    body["bound_service_account_namespace_selector"] = data.get("boundServiceAccountNamespaceSelector")
    for name in ("audience", "aliasNameSource"):
        if data.ok(name) if data.new else data.changed(name):
            body[snake(name)] = data.get(name)
    doing = "writing" if data.new else "updating"
    with refused(f'error {doing} Kubernetes auth backend role "{path}"'):
        vault.write(path, body, at=data)
    data.id = path
    _read_kubernetes_role(data, vault)


def _read_kubernetes_role(data: Data, vault: Vault) -> None:
    backend, role = _split_role(data, "Kubernetes auth backend role")
    found = vault.read(data.id, at=data)
    if found is None:
        data.id = ""
        return
    read_token_fields(data, found)
    data.set("backend", backend)
    data.set("roleName", role)
    for name in _KUBERNETES_ROLE_FIELDS:
        if snake(name) in found:
            data.set(name, found[snake(name)])


# -- Kubernetes mount configuration -----------------------------------------------------------------------------------

KUBERNETES: Final = resource("vault:kubernetes/authBackendConfig:AuthBackendConfig").tuned(
    default={"backend": "kubernetes", "tokenReviewerJwt": ""},
    normalise={"backend": _trimmed},
    conflicts={"tokenReviewerJwt": ("tokenReviewerJwtWo",), "tokenReviewerJwtWo": ("tokenReviewerJwt",)},
    required_with={"tokenReviewerJwtWoVersion": ("tokenReviewerJwtWo",)},
    write_only={"tokenReviewerJwtWo": True},
)


def _kubernetes_plan(prior: Properties | None, planned: Properties, inputs: Mapping[str, Value]) -> set[str]:
    """Outside `disableLocalCaJwt`, a CA the program no longer gives is taken away from the server."""
    if prior is not None and not planned.get("disableLocalCaJwt"):
        old, new = prior.get("kubernetesCaCert"), planned.get("kubernetesCaCert")
        dropped = inputs.get("kubernetesCaCert") is None and not is_zero(new) and new is not UNKNOWN
        if dropped or (not is_zero(old) and inputs.get("kubernetesCaCert") == ""):
            planned["kubernetesCaCert"] = ""
    return set()


def _write_kubernetes(data: Data, vault: Vault) -> None:
    path = f"auth/{_trimmed(data.get('backend'))}/config" if data.new else data.id
    body: Properties = {"kubernetes_host": data.get("kubernetesHost")}
    dropped = data.changed("kubernetesCaCert") and not data.ok("kubernetesCaCert")
    if data.ok("kubernetesCaCert") or dropped:
        body["kubernetes_ca_cert"] = data.get("kubernetesCaCert")
    written = data.inputs.get("tokenReviewerJwtWo")
    if data.ok("tokenReviewerJwt"):
        body["token_reviewer_jwt"] = data.get("tokenReviewerJwt")
    elif written and (data.new or data.changed("tokenReviewerJwtWoVersion")):
        body["token_reviewer_jwt"] = written
    if data.raw("pemKeys") is not None:
        body["pem_keys"] = ",".join(data.get("pemKeys"))
    for name in ("issuer", "disableLocalCaJwt"):
        if data.ok(name):
            body[snake(name)] = data.get(name)
    body["disable_iss_validation"] = data.get("disableIssValidation")
    body["use_annotations_as_alias_metadata"] = data.get("useAnnotationsAsAliasMetadata")
    doing = "writing" if data.new else "updating"
    with refused(f'error {doing} Kubernetes auth backend config "{path}"'):
        vault.write(path, body, at=data)
    data.id = path
    _read_kubernetes(data, vault)


def _read_kubernetes(data: Data, vault: Vault) -> None:
    match = re.fullmatch(r"auth/(.+)/config", data.id)
    if match is None:
        raise PluginError(f'invalid path "{data.id}" for Kubernetes auth backend config: no backend found')
    found = vault.read(data.id, at=data)
    if found is None:
        data.id = ""
        return
    data.set("backend", match[1])
    for name in ("kubernetesCaCert", "kubernetesHost", "issuer", "disableIssValidation", "disableLocalCaJwt",
                 "pemKeys", "useAnnotationsAsAliasMetadata"):  # fmt: skip
        data.set(name, found.get(snake(name)))


def _forget(data: Data, _vault: Vault) -> None:
    """The server has no way to unset a configuration: it goes with its mount."""
    data.id = ""


RESOURCES: Final = {
    shape.token: Resource(shape, create, read, update, delete, customise=customise)
    for shape, create, read, update, delete, customise in (
        (JWT, _create_jwt, _read_jwt, _update_jwt, delete_auth, _jwt_plan),
        (JWT_ROLE, _write_jwt_role, _read_jwt_role, _write_jwt_role, _delete_role, None),
        (KUBERNETES, _write_kubernetes, _read_kubernetes, _write_kubernetes, _forget, _kubernetes_plan),
        (KUBERNETES_ROLE, _write_kubernetes_role, _read_kubernetes_role, _write_kubernetes_role, _delete_role, None),
    )
}
