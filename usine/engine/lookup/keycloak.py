"""Keycloak's objects whose create refuses what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from usine.engine.lookup.base import TIMEOUT, Find, Inputs, Remove, Rest, first_id
from usine.spec.settings import Endpoint


class Keycloak:
    """Realms and what is in them."""

    def __init__(self, endpoint: Endpoint, environment: Mapping[str, str]) -> None:
        """Use KEYCLOAK_CLIENT_ID with KEYCLOAK_CLIENT_SECRET, or with KEYCLOAK_USER and KEYCLOAK_PASSWORD."""
        self._url = endpoint.url
        self._verify: str | bool = str(endpoint.ca) if endpoint.ca else True
        self._environment = environment
        self._api = Rest(f"{endpoint.url}/admin/realms", verify=self._verify)
        self._logged_in = False

    def finders(self) -> Mapping[str, Find]:
        """See `System`."""
        return {
            "keycloak:index/realm:Realm": lambda i: i["realm"] if self._get(i["realm"]) else None,
            "keycloak:index/group:Group": self._group,
            "keycloak:index/user:User": self._user,
            "keycloak:openid/client:Client": self._client,
            "keycloak:openid/clientScope:ClientScope": lambda i: first_id(
                self._get(f"{i['realmId']}/client-scopes"), "name", i["name"]
            ),
            "keycloak:openid/groupMembershipProtocolMapper:GroupMembershipProtocolMapper": self._mapper,
            "keycloak:openid/audienceProtocolMapper:AudienceProtocolMapper": self._mapper,
        }

    def removers(self) -> Mapping[str, Remove]:
        """See `System`: a client's secret can be read again."""
        return {}

    def _get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
        if not self._logged_in:  # recovery is short: a token of a minute outlives it in practice
            self._api.session.headers["Authorization"] = f"Bearer {self._token()}"
            self._logged_in = True
        return self._api.call("GET", path, params=query)

    def _token(self) -> str:
        env = self._environment
        form = {"client_id": env.get("KEYCLOAK_CLIENT_ID", "admin-cli")}
        if "KEYCLOAK_CLIENT_SECRET" in env:
            form |= {"grant_type": "client_credentials", "client_secret": env["KEYCLOAK_CLIENT_SECRET"]}
        else:
            user, password = env.get("KEYCLOAK_USER", ""), env.get("KEYCLOAK_PASSWORD", "")
            form |= {"grant_type": "password", "username": user, "password": password}
        realm = env.get("KEYCLOAK_REALM", "master")
        response = requests.post(
            f"{self._url}/realms/{realm}/protocol/openid-connect/token",
            data=form,
            verify=self._verify,
            timeout=TIMEOUT,
        )
        response.raise_for_status()
        return str(response.json()["access_token"])

    def _group(self, inputs: Inputs) -> str | None:
        realm, parent = inputs["realmId"], inputs.get("parentId")
        path = f"{realm}/groups/{parent}/children" if parent else f"{realm}/groups"
        return first_id(self._get(path, max="100000", briefRepresentation="true"), "name", inputs["name"])

    def _user(self, inputs: Inputs) -> str | None:
        users = self._get(f"{inputs['realmId']}/users", username=inputs["username"], exact="true")
        return first_id(users, "username", inputs["username"])

    def _client(self, inputs: Inputs) -> str | None:
        clients = self._get(f"{inputs['realmId']}/clients", clientId=inputs["clientId"])
        return first_id(clients, "clientId", inputs["clientId"])

    def _mapper(self, inputs: Inputs) -> str | None:
        scope, client = inputs.get("clientScopeId"), inputs.get("clientId")
        owner = f"client-scopes/{scope}" if scope else f"clients/{client}"
        models = self._get(f"{inputs['realmId']}/{owner}/protocol-mappers/models")
        return first_id(models, "name", inputs["name"])
