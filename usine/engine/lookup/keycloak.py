"""Finds Keycloak's objects: their create refuses what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from usine.clients.base import first_id
from usine.clients.keycloak import KeycloakClient
from usine.engine.lookup.base import Find, Inputs, Remove


class KeycloakFinder:
    """Realms and what is in them."""

    def __init__(self, client: KeycloakClient) -> None:
        """Keep the client; nothing is sent yet."""
        self._client = client

    def finders(self) -> Mapping[str, Find]:
        """See `SystemFinder`."""
        return {
            "keycloak:index/realm:Realm": lambda i: i["realm"] if self._client.get(i["realm"]) else None,
            "keycloak:index/group:Group": self._group,
            "keycloak:index/user:User": self._user,
            "keycloak:openid/client:Client": self._openid_client,
            "keycloak:openid/clientScope:ClientScope": lambda i: first_id(
                self._list(i["realmId"], "client-scopes"), "name", i["name"]
            ),
            "keycloak:openid/groupMembershipProtocolMapper:GroupMembershipProtocolMapper": self._mapper,
            "keycloak:openid/audienceProtocolMapper:AudienceProtocolMapper": self._mapper,
        }

    def removers(self) -> Mapping[str, Remove]:
        """See `SystemFinder`. A client's secret can be read again, so nothing is removed."""
        return {}

    def _list(self, realm: str, path: str, of: str = "", **query: str) -> Any:  # noqa: ANN401 - JSON
        """Return a list of a realm, or of the object `of` in it."""
        return self._client.listed(f"{realm}/{path}", of=f"{realm}/{of}".rstrip("/"), **query)

    def _group(self, inputs: Inputs) -> str | None:
        parent = inputs.get("parentId")
        of, path = (f"groups/{parent}", f"groups/{parent}/children") if parent else ("", "groups")
        found = self._list(inputs["realmId"], path, of, max="100000", briefRepresentation="true")
        return first_id(found, "name", inputs["name"])

    def _user(self, inputs: Inputs) -> str | None:
        users = self._list(inputs["realmId"], "users", username=inputs["username"], exact="true")
        return first_id(users, "username", inputs["username"])

    def _openid_client(self, inputs: Inputs) -> str | None:
        clients = self._list(inputs["realmId"], "clients", clientId=inputs["clientId"])
        return first_id(clients, "clientId", inputs["clientId"])

    def _mapper(self, inputs: Inputs) -> str | None:
        scope, client = inputs.get("clientScopeId"), inputs.get("clientId")
        owner = f"client-scopes/{scope}" if scope else f"clients/{client}"
        models = self._list(inputs["realmId"], f"{owner}/protocol-mappers/models", owner)
        return first_id(models, "name", inputs["name"])
