"""Protocol mappers, which set the claims of a token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from lab.plugins import fields
from lab.plugins.items import table
from lab.plugins.keycloak.client import KeycloakPluginClient
from lab.plugins.keycloak.clients import is_true, quoted
from lab.plugins.keycloak.items import KeycloakItem, same
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

#: Property -> key in a mapper's configuration.
_ITEMS: Final = {
    "addToAccessToken": "access.token.claim",
    "addToIdToken": "id.token.claim",
    "addToUserinfo": "userinfo.token.claim",
    "addToTokenIntrospection": "introspection.token.claim",
    "claimName": "claim.name",
    "fullPath": "full.path",
    "includedCustomAudience": "included.custom.audience",
    "multivalued": "multivalued",
    "userAttribute": "user.attribute",
    "userProperty": "user.attribute",
    "aggregateAttributes": "aggregate.attrs",
}
_OWNERS: Final = ("clientId", "clientScopeId")


@dataclass(frozen=True, kw_only=True)
class _Mapper(KeycloakItem):
    """A mapper: `kind` is Keycloak's name of it, `items` are the properties in its configuration."""

    kind: str
    items: Mapping[str, str]

    def where(self, data: Data) -> str:
        client = data.get("clientId")
        owner = f"clients/{client}" if client else f"client-scopes/{data.get('clientScopeId')}"
        return f"/realms/{data.get('realmId')}/{owner}/{self.collection}"

    def _flags(self) -> list[str]:
        return [name for name in self.items if self.shape.fields[name].kind == "boolean"]

    def body(self, data: Data) -> Properties:
        config = fields.always(data, self.items, dict.fromkeys(self._flags(), quoted))
        mapper = {"protocol": "openid-connect", "protocolMapper": self.kind, "config": config}
        return {**super().body(data), **mapper}

    def check(self, data: Data, client: KeycloakPluginClient) -> None:
        if "includedCustomAudience" in self.items and not data.get("includedCustomAudience"):
            raise PluginError("validation error: one of IncludedClientAudience or IncludedCustomAudience must be set")
        for other in client.get(self.where(data)):
            if other["name"] == data.get("name") and other["id"] != data.id:
                raise PluginError(
                    f"validation error: a protocol mapper with name {data.get('name')} already exists for this client"
                )

    def take(self, data: Data, found: Properties, client: KeycloakPluginClient) -> None:
        super().take(data, found, client)
        fields.take(data, self.items, found.get("config") or {}, decode=dict.fromkeys(self._flags(), is_true))

    def take_import(self, data: Data, _client: KeycloakPluginClient) -> None:
        """Read an import id; raises `PluginError` if it is malformed."""
        parts = data.id.split("/")
        if len(parts) != 4 or parts[1] not in ("client", "client-scope"):  # noqa: PLR2004 - the format's own number
            raise PluginError(f"invalid import. supported import formats: {self.imported}")
        data.set("realmId", parts[0])
        data.set("clientId" if parts[1] == "client" else "clientScopeId", parts[2])
        data.id = parts[3]


def _mapper(name: str, kind: str, **defaults: Any) -> KeycloakItem:  # noqa: ANN401 - values of properties
    token = f"keycloak:openid/{name[0].lower()}{name[1:]}ProtocolMapper:{name}ProtocolMapper"
    shape = replace(resource(token, autoname=("name",)), exactly_one=_OWNERS)
    return _Mapper(
        shape=shape.tuned(default={"addToIdToken": True, "addToAccessToken": True, **defaults}),
        collection="protocol-mappers/models",
        imported="{{realmId}}/client/{{clientId}}/{{protocolMapperId}}, "
        "{{realmId}}/client-scope/{{clientScopeId}}/{{protocolMapperId}}",
        kind=kind,
        items={prop: item for prop, item in _ITEMS.items() if prop in shape.fields},
        always=same("name"),
    )


RESOURCES: Final = table(
    _mapper(
        "GroupMembership", "oidc-group-membership-mapper",
        addToUserinfo=True, addToTokenIntrospection=False, fullPath=True,
    ),
    _mapper("Audience", "oidc-audience-mapper", addToTokenIntrospection=True),
    _mapper(
        "UserAttribute", "oidc-usermodel-attribute-mapper",
        addToUserinfo=True, addToTokenIntrospection=True, multivalued=False, aggregateAttributes=False,
    ),
    _mapper("UserProperty", "oidc-usermodel-property-mapper", addToUserinfo=True),
)  # fmt: skip
