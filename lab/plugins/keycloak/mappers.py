"""Protocol mappers: what goes into a token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from lab.plugins.bridge import Resource
from lab.plugins.keycloak.client import ApiError, Keycloak
from lab.plugins.keycloak.clients import find_client, quoted
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Value

_KEYS: Final = {
    "addToAccessToken": "access.token.claim",
    "addToIdToken": "id.token.claim",
    "addToUserinfo": "userinfo.token.claim",
    "addToTokenIntrospection": "introspection.token.claim",
    "claimName": "claim.name",
    "claimValueType": "jsonType.label",
    "fullPath": "full.path",
    "includedClientAudience": "included.client.audience",
    "includedCustomAudience": "included.custom.audience",
    "multivalued": "multivalued",
    "userAttribute": "user.attribute",
    "userProperty": "user.attribute",
    "aggregateAttributes": "aggregate.attrs",
}
_OWNERS: Final = ("clientId", "clientScopeId")
_CLAIM_TYPES: Final = ("JSON", "String", "long", "int", "boolean")


def _claim_type(value: Value) -> str | None:
    if str(value).lower() in [name.lower() for name in _CLAIM_TYPES]:
        return None
    return f"expected claim_value_type to be one of {list(_CLAIM_TYPES)}, got {value}"


def _owner(data: Data) -> str:
    realm, client, scope = data.get("realmId"), data.get("clientId"), data.get("clientScopeId")
    return f"/realms/{realm}/clients/{client}" if client else f"/realms/{realm}/client-scopes/{scope}"


def _models(data: Data) -> str:
    return f"{_owner(data)}/protocol-mappers/models"


def _mapper(token: str, kind: str, defaults: Mapping[str, Any]) -> Resource[Keycloak]:
    shape = replace(resource(token, autoname=("name",)), exactly_one=_OWNERS).tuned(default=defaults)
    audience = "includedClientAudience" in shape.fields
    if audience:
        shape = shape.tuned(
            conflicts={
                "includedClientAudience": ("includedCustomAudience",),
                "includedCustomAudience": ("includedClientAudience",),
            }
        )
    if "claimValueType" in shape.fields:
        shape = shape.tuned(validate={"claimValueType": _claim_type})
    configured = [name for name in _KEYS if name in shape.fields]

    def body(data: Data) -> Properties:
        config: Properties = {}
        for name in configured:
            value = data.get(name)
            config[_KEYS[name]] = quoted(value) if shape.fields[name].kind == "boolean" else value
        made: Properties = {
            "name": data.get("name"), "protocol": "openid-connect", "protocolMapper": kind, "config": config,
        }  # fmt: skip
        return {**made, "id": data.id} if data.id else made

    def validate(data: Data, keycloak: Keycloak) -> None:
        client = data.get("includedClientAudience") if audience else ""
        if audience and not client and not data.get("includedCustomAudience"):
            raise PluginError("validation error: one of IncludedClientAudience or IncludedCustomAudience must be set")
        for other in keycloak.get(_models(data)):
            if other["name"] == data.get("name") and other["id"] != data.id:
                raise PluginError(
                    f"validation error: a protocol mapper with name {data.get('name')} already exists for this client"
                )
        if client and find_client(keycloak, data.get("realmId"), client) is None:
            raise PluginError(f"validation error: generic client with name {client} does not exist")

    def create(data: Data, keycloak: Keycloak) -> None:
        validate(data, keycloak)
        _, data.id = keycloak.post(_models(data), body(data))
        read(data, keycloak)

    def update(data: Data, keycloak: Keycloak) -> None:
        validate(data, keycloak)
        keycloak.put(f"{_models(data)}/{data.id}", body(data))
        read(data, keycloak)

    def read(data: Data, keycloak: Keycloak) -> None:
        try:
            found = keycloak.get(f"{_models(data)}/{data.id}")
        except ApiError as error:
            if not error.missing:
                raise
            data.id = ""
            return
        config = found.get("config") or {}
        data.set("name", found["name"])
        for name in configured:
            value = config.get(_KEYS[name])
            if audience and name == "includedCustomAudience" and config.get(_KEYS["includedClientAudience"]):
                continue
            if audience and name == "includedClientAudience" and not value:
                continue
            data.set(name, value == "true" if shape.fields[name].kind == "boolean" else value)
        for name in ("realmId", "clientId" if data.get("clientId") else "clientScopeId"):
            data.set(name, data.get(name))

    def delete(data: Data, keycloak: Keycloak) -> None:
        keycloak.delete(f"{_models(data)}/{data.id}")

    return Resource(shape, create, read, update, delete, importer=_import)


def _import(data: Data, _keycloak: Keycloak) -> None:
    parts = data.id.split("/")
    if len(parts) != 4 or parts[1] not in ("client", "client-scope"):  # noqa: PLR2004 - the format's own number
        raise PluginError(
            "invalid import. supported import formats: {{realmId}}/client/{{clientId}}/{{protocolMapperId}}, "
            "{{realmId}}/client-scope/{{clientScopeId}}/{{protocolMapperId}}"
        )
    data.set("realmId", parts[0])
    data.set("clientId" if parts[1] == "client" else "clientScopeId", parts[2])
    data.id = parts[3]


_TOKENS: Final = {"addToIdToken": True, "addToAccessToken": True}
RESOURCES: Final = {
    item.shape.token: item
    for item in (
        _mapper(
            "keycloak:openid/groupMembershipProtocolMapper:GroupMembershipProtocolMapper",
            "oidc-group-membership-mapper",
            {**_TOKENS, "addToUserinfo": True, "addToTokenIntrospection": False, "fullPath": True},
        ),
        _mapper(
            "keycloak:openid/audienceProtocolMapper:AudienceProtocolMapper",
            "oidc-audience-mapper",
            {**_TOKENS, "addToTokenIntrospection": True},
        ),
        _mapper(
            "keycloak:openid/userAttributeProtocolMapper:UserAttributeProtocolMapper",
            "oidc-usermodel-attribute-mapper",
            {
                **_TOKENS, "addToUserinfo": True, "addToTokenIntrospection": True, "claimValueType": "String",
                "multivalued": False, "aggregateAttributes": False,
            },
        ),
        _mapper(
            "keycloak:openid/userPropertyProtocolMapper:UserPropertyProtocolMapper",
            "oidc-usermodel-property-mapper",
            {**_TOKENS, "addToUserinfo": True, "claimValueType": "String"},
        ),
    )
}  # fmt: skip
