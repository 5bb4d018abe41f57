"""Client scopes, and the scopes of a client."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from lab.plugins import fields
from lab.plugins.items import table
from lab.plugins.keycloak.client import KeycloakApiError, KeycloakPluginClient
from lab.plugins.keycloak.clients import is_true, quoted
from lab.plugins.keycloak.items import KeycloakItem, same
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

# -- client scopes ----------------------------------------------------------------------------------------------------

_FLAGS: Final = {
    "includeInTokenScope": "include.in.token.scope",
    "includeInOpenidProviderMetadata": "include.in.openid.provider.metadata",
}
#: Upstream's consent text of a scope without a consent screen.
_UNASKED: Final = {"display.on.consent.screen": "false", "consent.screen.text": "", "gui.order": ""}


class _Scope(KeycloakItem):
    def body(self, data: Data) -> Properties:
        attributes = {**_UNASKED, **fields.always(data, _FLAGS, dict.fromkeys(_FLAGS, quoted))}
        return {**super().body(data), "protocol": "openid-connect", "attributes": attributes}

    def take(self, data: Data, found: Properties, client: KeycloakPluginClient) -> None:
        super().take(data, found, client)
        fields.take(data, _FLAGS, found.get("attributes") or {}, decode=dict.fromkeys(_FLAGS, is_true))


_SCOPE: Final = _Scope(
    shape=resource("keycloak:openid/clientScope:ClientScope", autoname=("name",)).tuned(
        sticky={"description": True}, default=dict.fromkeys(_FLAGS, True)
    ),
    collection="client-scopes",
    imported="{{realmId}}/{{openidClientScopeId}}",
    reread=False,
    always=same("name", "description"),
)

# -- the scopes a client has ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _ClientScopes(KeycloakItem):
    """The scopes of a client; `kind` is `default` or `optional`."""

    kind: str

    def _attached(self, data: Data, client: KeycloakPluginClient, kind: str) -> list[str]:
        path = f"{self.where(data)}/{data.get('clientId')}/{kind}-client-scopes"
        return [scope["name"] for scope in client.get(path)]

    def _ids(self, data: Data, client: KeycloakPluginClient, names: Collection[str]) -> dict[str, str]:
        """Return the ids of the realm's OpenID scopes with these names, by name."""
        scopes = client.get(f"/realms/{data.get('realmId')}/client-scopes")
        return {s["name"]: s["id"] for s in scopes if s.get("protocol") == "openid-connect" and s["name"] in names}

    def _detach(self, data: Data, client: KeycloakPluginClient, names: Collection[str]) -> None:
        for id_ in self._ids(data, client, names).values():
            client.delete(f"{self.where(data)}/{data.get('clientId')}/{self.kind}-client-scopes/{id_}")

    def _attach(self, data: Data, client: KeycloakPluginClient, names: Collection[str]) -> None:
        path = f"{self.where(data)}/{data.get('clientId')}"
        if client.get(path).get("bearerOnly"):
            raise PluginError(
                f"validation error: client with id {data.get('clientId')} uses access type BEARER-ONLY which does not "
                "use scopes"
            )
        ids = self._ids(data, client, names)
        for name in sorted(names):
            if name not in ids:
                raise PluginError(f"validation error: scope {name} does not exist")
        other, article = ("optional", "an optional") if self.kind == "default" else ("default", "a default")
        held = set(self._attached(data, client, other))
        for name, id_ in ids.items():
            if name in held:
                raise PluginError(f"validation error: scope {name} is already attached to client as {article} scope")
            client.put(f"{path}/{self.kind}-client-scopes/{id_}")

    def create(self, data: Data, client: KeycloakPluginClient) -> None:
        """Set the client's scopes: add missing ones, and remove others."""
        wanted = set(data.get(f"{self.kind}Scopes"))
        try:
            present = set(self._attached(data, client, self.kind))
        except KeycloakApiError as error:
            if error.missing:
                raise PluginError(f"validation error: client with id {data.get('clientId')} does not exist") from None
            raise
        self._detach(data, client, present - wanted)
        self._attach(data, client, wanted - present)
        data.id = f"{data.get('realmId')}/{data.get('clientId')}"
        self.read(data, client)

    def update(self, data: Data, client: KeycloakPluginClient) -> None:
        """Set the client's scopes again."""
        self.create(data, client)

    def found(self, data: Data, client: KeycloakPluginClient) -> Properties:
        """Return the client's scopes."""
        return {f"{self.kind}Scopes": self._attached(data, client, self.kind)}

    def take(self, data: Data, found: Properties, client: KeycloakPluginClient) -> None:
        super().take(data, found, client)
        data.id = f"{data.get('realmId')}/{data.get('clientId')}"

    def delete(self, data: Data, client: KeycloakPluginClient) -> None:
        """Remove the scopes."""
        self._detach(data, client, data.get(f"{self.kind}Scopes"))


def _scopes_of(kind: str) -> KeycloakItem:
    token = f"keycloak:openid/client{kind.title()}Scopes:Client{kind.title()}Scopes"
    scopes = f"{kind}Scopes"
    return _ClientScopes(shape=resource(token, sets=(scopes,)), collection="clients", kind=kind, read_back=same(scopes))


RESOURCES: Final = table(_SCOPE, _scopes_of("default"), _scopes_of("optional"))
