# ruff: noqa: ANN401 - JSON of a server has any type
"""JWT and Kubernetes authentication: configuration of the mounts, and roles."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lab.plugins import fields
from lab.plugins.bridge import Customise
from lab.plugins.items import table
from lab.plugins.planning import Data, is_zero
from lab.plugins.schema import one_of, resource
from lab.plugins.server import PluginError, refused
from lab.plugins.vault.client import RefusedError, VaultPluginClient
from lab.plugins.vault.items import VaultItem
from lab.plugins.vault.mounts import AUTH, AuthMount
from lab.plugins.wire import UNKNOWN, Properties, Value, has_unknown

_TOKEN: Final = fields.fields(
    "tokenBoundCidrs", "tokenMaxTtl", "tokenTtl", "tokenExplicitMaxTtl", "tokenNoDefaultPolicy", "tokenPeriod",
    "tokenPolicies", "tokenType", "tokenNumUses", "aliasMetadata",
)  # fmt: skip
_TOKEN_SETS: Final = ("tokenBoundCidrs", "tokenPolicies")


def _trimmed(text: str) -> str:
    return text.strip("/")


# -- JWT / OIDC mount -------------------------------------------------------------------------------------------------

_SOURCES: Final = ("oidcDiscoveryUrl", "jwksUrl", "jwtValidationPubkeys")
_SECRET: Final = "oidcClientSecret"  # noqa: S105 - a name
_CONFIG: Final = fields.fields(
    "oidcDiscoveryUrl", "oidcDiscoveryCaPem", "oidcClientId", _SECRET, "oidcResponseMode", "oidcResponseTypes",
    "jwksUrl", "jwksCaPem", "jwtValidationPubkeys", "boundIssuer", "jwtSupportedAlgs", "defaultRole",
)  # fmt: skip
#: Vault never returns the secret, so the state keeps the last applied one.
_ANSWERED: Final = {name: field for name, field in _CONFIG.items() if name != _SECRET}


def _no_final_slash(value: Value) -> str | None:
    return f"invalid value {value!r}, cannot contain trailing slashes" if str(value).endswith("/") else None


def _sourced(_prior: Properties | None, planned: Properties, _inputs: Mapping[str, Value]) -> set[str]:
    if not any(has_unknown(planned[name]) or not is_zero(planned[name]) for name in _SOURCES):
        raise PluginError(
            "exactly one of oidc_discovery_url, jwks_url, jwks_pairs, or jwt_validation_pubkeys should be provided"
        )
    return set()


class _Jwt(AuthMount):
    def customise(self) -> Customise:
        return _sourced

    def create(self, data: Data, client: VaultPluginClient) -> None:
        """Create the mount, then configure it."""
        path = data.get("path")
        with refused(self.refused["create"]):
            client.request("POST", f"sys/auth/{path}", self.creation(data))
        data.id = path
        self._configure(data, client)

    def update(self, data: Data, client: VaultPluginClient) -> None:
        """Update the configuration. Like upstream, the description does not change."""
        self.move(data, client)
        self._configure(data, client)

    def _configure(self, data: Data, client: VaultPluginClient) -> None:
        known = {name: field for name, field in _CONFIG.items() if data.raw(name) is not None or data.changed(name)}
        if not data.ok(_SECRET):
            known.pop(_SECRET, None)
        with refused(f"error updating configuration to Vault for path {data.id}"):
            client.write(f"auth/{data.id}/config", fields.always(data, known))
        self.read(data, client)

    def find(self, data: Data, client: VaultPluginClient) -> Properties | None:
        """Return the mount with its configuration; None if either does not exist."""
        found = super().find(data, client)
        config = None if found is None else client.read(f"auth/{data.id}/config")
        return None if found is None or config is None else {**found, "config": config}

    def take(self, data: Data, found: Properties, client: VaultPluginClient) -> None:
        super().take(data, found, client)
        fields.take(data, _ANSWERED, found["config"])


_JWT: Final = _Jwt(
    shape=resource("vault:jwt/authBackend:AuthBackend").tuned(
        default={"path": "jwt", "type": "jwt", "local": False},
        validate={"path": _no_final_slash, "type": one_of("jwt", "oidc")},
        conflicts={name: tuple(other for other in _SOURCES if other != name) for name in _SOURCES},
    ),
    **AUTH,
)

# -- roles ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _VaultRole(VaultItem):
    """A role. `changing` properties, such as token parameters, are sent at creation if set, later if they change."""

    changing: Mapping[str, str] = field(default_factory=dict)

    def body(self, data: Data) -> Properties:
        def wanted(name: str) -> bool:
            if not data.new:
                return data.changed(name)
            return data.ok(name) or (name == "tokenNoDefaultPolicy" and data.raw(name) is not None)

        changing = {name: field for name, field in {**_TOKEN, **self.changing}.items() if wanted(name)}
        return {**super().body(data), **fields.always(data, changing)}

    def take(self, data: Data, found: Properties, client: VaultPluginClient) -> None:
        super().take(data, found, client)
        # Add the prefix length that the server strips from a host address.
        known = set(data.get("tokenBoundCidrs"))
        cidrs = [item if item in known else _cidr(item) for item in found.get("token_bound_cidrs") or []]
        fields.take(data, _TOKEN, {**found, "token_bound_cidrs": cidrs})
        fields.take(data, self.changing, found, held=self.held)

    def delete(self, data: Data, client: VaultPluginClient) -> None:
        """Delete the role, unless it is gone with its mount."""
        try:
            client.delete(data.id)
        except RefusedError as fault:
            if fault.status != 404:  # noqa: PLR2004 - HTTP
                raise PluginError(f'error deleting auth backend role "{data.id}": {fault}') from None


def _cidr(address: str) -> str:
    return address if "/" in address else str(ipaddress.ip_network(address))


class _JwtRole(_VaultRole):
    def body(self, data: Data) -> Properties:
        claims = {key: [item.strip() for item in value.split(",")] for key, value in data.get("boundClaims").items()}
        return {**super().body(data), "bound_claims": claims}

    def take(self, data: Data, found: Properties, client: VaultPluginClient) -> None:
        super().take(data, found, client)
        if found.get("bound_claims") is not None:
            data.set("boundClaims", {key: _joined(value) for key, value in found["bound_claims"].items()})


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    if isinstance(value, str):
        return value
    raise PluginError(f"bound claim is not a string or list: {value}")


def _role(what: str) -> dict[str, Any]:
    doing = {"create": "writing", "update": "updating"}
    return {
        "id": "auth/{backend}/role/{roleName}",
        "what": what,
        "refused": {name: f'error {word} {what} "{{id}}"' for name, word in doing.items()},
    }


_OFTEN: Final = fields.fields(
    "userClaimJsonPointer", "clockSkewLeeway", "expirationLeeway", "notBeforeLeeway", "verboseOidcLogging"
)
_WHERE_SET: Final = fields.fields("maxAge", "allowedRedirectUris", "claimMappings")
_JWT_ROLE: Final = _JwtRole(
    shape=resource(
        "vault:jwt/authBackendRole:AuthBackendRole",
        sets=(*_TOKEN_SETS, "boundAudiences", "allowedRedirectUris", "oidcScopes"),
    ).tuned(
        default={
            "backend": "jwt", "tokenType": "default", "clockSkewLeeway": 0, "expirationLeeway": 0,
            "notBeforeLeeway": 0, "verboseOidcLogging": False, "userClaimJsonPointer": False,
        },
        normalise={"backend": _trimmed},
    ),
    **_role("JWT auth backend role"),
    always={**fields.fields("boundAudiences", "userClaim"), **_OFTEN},
    filled={**fields.fields("roleType", "oidcScopes"), **_WHERE_SET},
    sent=fields.fields("boundSubject", "groupsClaim", "boundClaimsType"),
    held=(*_OFTEN, *_WHERE_SET, "boundClaimsType"),
)  # fmt: skip
_KUBERNETES_ROLE: Final = _VaultRole(
    shape=resource(
        "vault:kubernetes/authBackendRole:AuthBackendRole",
        sets=(*_TOKEN_SETS, "boundServiceAccountNames", "boundServiceAccountNamespaces"),
    ).tuned(
        default={"backend": "kubernetes", "tokenType": "default", "audience": ""},
        normalise={"backend": _trimmed},
    ),
    **_role("Kubernetes auth backend role"),
    always=fields.fields("boundServiceAccountNamespaceSelector"),
    filled=fields.fields("boundServiceAccountNames", "boundServiceAccountNamespaces"),
    changing=fields.fields("audience", "aliasNameSource"),
    held=("boundServiceAccountNamespaceSelector", "audience", "aliasNameSource"),
)

# -- Kubernetes mount configuration -----------------------------------------------------------------------------------

_CA: Final = "kubernetesCaCert"


def _without_ca(prior: Properties | None, planned: Properties, inputs: Mapping[str, Value]) -> set[str]:
    """Without `disableLocalCaJwt`, remove a CA from the server when the program no longer sets it."""
    if prior is not None and not planned.get("disableLocalCaJwt"):
        old, new = prior.get(_CA), planned.get(_CA)
        dropped = inputs.get(_CA) is None and not is_zero(new) and new is not UNKNOWN
        if dropped or (not is_zero(old) and inputs.get(_CA) == ""):
            planned[_CA] = ""
    return set()


class _Kubernetes(VaultItem):
    def customise(self) -> Customise:
        return _without_ca

    def body(self, data: Data) -> Properties:
        dropped = {"kubernetes_ca_cert": ""} if data.changed(_CA) and not data.ok(_CA) else {}
        reviewer = data.get("tokenReviewerJwt")
        return {**super().body(data), **dropped, **({"token_reviewer_jwt": reviewer} if reviewer else {})}

    def delete(self, data: Data, _client: VaultPluginClient) -> None:
        """Do nothing: the server deletes the configuration only with its mount."""
        data.id = ""


_KUBERNETES: Final = _Kubernetes(
    shape=resource("vault:kubernetes/authBackendConfig:AuthBackendConfig").tuned(
        default={"backend": "kubernetes", "tokenReviewerJwt": ""}, normalise={"backend": _trimmed}
    ),
    id="auth/{backend}/config",
    what="Kubernetes auth backend config",
    always=fields.fields("kubernetesHost", "disableIssValidation", "useAnnotationsAsAliasMetadata"),
    filled=fields.fields(_CA, "issuer", "disableLocalCaJwt"),
    refused={
        "create": 'error writing Kubernetes auth backend config "{id}"',
        "update": 'error updating Kubernetes auth backend config "{id}"',
    },
)

RESOURCES: Final = table(_JWT, _JWT_ROLE, _KUBERNETES, _KUBERNETES_ROLE)
