"""Keycloak's objects whose create refuses what is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import requests

from model.settings import Endpoint
from usine.engine.lookup.base import TIMEOUT, Find, Inputs, Remove, Rest, first_id

#: Seconds before a token's end at which another is taken.
_MARGIN = 20.0


class LogIn(requests.auth.AuthBase):
    """Puts a token on each request, a new one before the old one ends: those of the realm `master` live a minute."""

    def __init__(self, url: str, environment: Mapping[str, str], verify: str | bool) -> None:
        """Use KEYCLOAK_CLIENT_ID with KEYCLOAK_CLIENT_SECRET, or with KEYCLOAK_USER and KEYCLOAK_PASSWORD."""
        self._url = f"{url}/realms/{environment.get('KEYCLOAK_REALM', 'master')}/protocol/openid-connect/token"
        self._environment = environment
        self._verify = verify
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Raise requests.RequestException when Keycloak gives no token."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._renew()
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _renew(self) -> None:
        env = self._environment
        form = {"client_id": env.get("KEYCLOAK_CLIENT_ID", "admin-cli")}
        if "KEYCLOAK_CLIENT_SECRET" in env:
            form |= {"grant_type": "client_credentials", "client_secret": env["KEYCLOAK_CLIENT_SECRET"]}
        else:
            user, password = env.get("KEYCLOAK_USER", ""), env.get("KEYCLOAK_PASSWORD", "")
            form |= {"grant_type": "password", "username": user, "password": password}
        asked = time.monotonic()
        response = requests.post(self._url, data=form, verify=self._verify, timeout=TIMEOUT)
        response.raise_for_status()
        answer = response.json()
        self._token = str(answer["access_token"])
        self._until = asked + float(answer["expires_in"]) - _MARGIN


def connect(endpoint: Endpoint, environment: Mapping[str, str]) -> Rest:
    """Return Keycloak's administration API, below its realms. See `LogIn` for the variables."""
    verify: str | bool = str(endpoint.ca) if endpoint.ca else True
    api = Rest(f"{endpoint.url}/admin/realms", verify=verify)
    api.session.auth = LogIn(endpoint.url, environment, verify)
    return api


class Keycloak:
    """Realms and what is in them."""

    def __init__(self, endpoint: Endpoint, environment: Mapping[str, str]) -> None:
        """See `connect`."""
        self._api = connect(endpoint, environment)

    def finders(self) -> Mapping[str, Find]:
        """See `System`."""
        return {
            "keycloak:index/realm:Realm": lambda i: i["realm"] if self._get(i["realm"]) else None,
            "keycloak:index/group:Group": self._group,
            "keycloak:index/user:User": self._user,
            "keycloak:openid/client:Client": self._client,
            "keycloak:openid/clientScope:ClientScope": lambda i: first_id(
                self._list(i["realmId"], "client-scopes"), "name", i["name"]
            ),
            "keycloak:openid/groupMembershipProtocolMapper:GroupMembershipProtocolMapper": self._mapper,
            "keycloak:openid/audienceProtocolMapper:AudienceProtocolMapper": self._mapper,
        }

    def removers(self) -> Mapping[str, Remove]:
        """See `System`: a client's secret can be read again."""
        return {}

    def _get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
        return self._api.call("GET", path, params=query)

    def _list(self, realm: str, path: str, of: str = "", **query: str) -> Any:  # noqa: ANN401 - JSON
        """Return a list of a realm, or of the object `of` in it."""
        return self._api.listed(f"{realm}/{path}", of=f"{realm}/{of}".rstrip("/"), params=query)

    def _group(self, inputs: Inputs) -> str | None:
        parent = inputs.get("parentId")
        of, path = (f"groups/{parent}", f"groups/{parent}/children") if parent else ("", "groups")
        found = self._list(inputs["realmId"], path, of, max="100000", briefRepresentation="true")
        return first_id(found, "name", inputs["name"])

    def _user(self, inputs: Inputs) -> str | None:
        users = self._list(inputs["realmId"], "users", username=inputs["username"], exact="true")
        return first_id(users, "username", inputs["username"])

    def _client(self, inputs: Inputs) -> str | None:
        clients = self._list(inputs["realmId"], "clients", clientId=inputs["clientId"])
        return first_id(clients, "clientId", inputs["clientId"])

    def _mapper(self, inputs: Inputs) -> str | None:
        scope, client = inputs.get("clientScopeId"), inputs.get("clientId")
        owner = f"client-scopes/{scope}" if scope else f"clients/{client}"
        models = self._list(inputs["realmId"], f"{owner}/protocol-mappers/models", owner)
        return first_id(models, "name", inputs["name"])
