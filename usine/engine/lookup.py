"""Where an object that a killed run may have made is found again: its id as the provider plugin writes it.

Only types whose create refuses an object that is already there are listed. The others need nothing: Vault policies and
roles are written by PUT, group memberships are added to what is there, and the Kubernetes providers take over what
exists (`upsert_existing_objects`). The id formats are those of the providers' documentation ("Import").
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import requests

Inputs = Mapping[str, Any]
_TIMEOUT = 30


class Finder:
    """Looks objects up with the credentials that the provider plugins use, from the same environment variables.

    `vault` is Vault's address; `keycloak` Keycloak's URL, `keycloak_ca` the PEM file to trust for it (None: public).
    Every method returns the id, or None when there is no such object. Raises `requests.RequestException` when the
    system does not answer.
    """

    def __init__(
        self,
        vault: str | None,
        keycloak: str | None,
        keycloak_ca: str | None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the addresses; nothing is asked yet."""
        self._vault = vault
        self._keycloak = keycloak
        self._verify: str | bool = keycloak_ca or True
        self._environment = os.environ if environment is None else environment
        self._keycloak_token: str | None = None
        self._finders: dict[str, Callable[[Inputs], str | None]] = {
            "vault:index/mount:Mount": lambda i: self._vault_mount("sys/mounts", i["path"]),
            "vault:index/authBackend:AuthBackend": lambda i: self._vault_mount("sys/auth", i.get("path") or i["type"]),
            "vault:jwt/authBackend:AuthBackend": lambda i: self._vault_mount("sys/auth", i.get("path") or "jwt"),
            "vault:identity/group:Group": self._vault_group,
            "vault:identity/groupAlias:GroupAlias": self._vault_group_alias,
            "keycloak:index/realm:Realm": self._realm,
            "keycloak:index/group:Group": self._group,
            "keycloak:index/user:User": self._user,
            "keycloak:openid/client:Client": self._client,
            "keycloak:openid/clientScope:ClientScope": self._client_scope,
            "keycloak:openid/groupMembershipProtocolMapper:GroupMembershipProtocolMapper": self._mapper,
            "keycloak:openid/audienceProtocolMapper:AudienceProtocolMapper": self._mapper,
        }

    def find(self, type_: str, inputs: Inputs) -> str | None:
        """Return the id of the live object these inputs describe, or None: not there, or its create is idempotent."""
        finder = self._finders.get(type_)
        return finder(inputs) if finder else None

    # Vault --------------------------------------------------------------------------------------------------------

    def _vault_api(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        response = requests.request(
            method,
            f"{self._vault}/v1/{path}",
            json=body,
            headers={"X-Vault-Token": self._environment.get("VAULT_TOKEN", "")},
            verify=self._environment.get("VAULT_CACERT", True),
            timeout=_TIMEOUT,
        )
        if response.status_code in {204, 404}:
            return None
        response.raise_for_status()
        return response.json()["data"]

    def _vault_mount(self, table: str, path: str) -> str | None:
        return path if f"{path}/" in self._vault_api("GET", table) else None

    def _vault_group(self, inputs: Inputs) -> str | None:
        found = self._vault_api("POST", "identity/lookup/group", {"name": inputs["name"]})
        return found and str(found["id"])

    def _vault_group_alias(self, inputs: Inputs) -> str | None:
        query = {"alias_name": inputs["name"], "alias_mount_accessor": inputs["mountAccessor"]}
        found = self._vault_api("POST", "identity/lookup/group", query)
        return found and str(found["alias"]["id"])

    # Keycloak -----------------------------------------------------------------------------------------------------

    def _keycloak_api(self, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
        response = requests.get(
            f"{self._keycloak}/admin/realms/{path}",
            params=query,
            headers={"Authorization": f"Bearer {self._token()}"},
            verify=self._verify,
            timeout=_TIMEOUT,
        )
        if response.status_code == requests.codes.not_found:
            return None
        response.raise_for_status()
        return response.json()

    def _token(self) -> str:
        """Log in once: recovery is short, a token of a minute outlives it in practice."""
        if self._keycloak_token is None:
            env = self._environment
            form = {"client_id": env.get("KEYCLOAK_CLIENT_ID", "admin-cli")}
            if "KEYCLOAK_CLIENT_SECRET" in env:
                form |= {"grant_type": "client_credentials", "client_secret": env["KEYCLOAK_CLIENT_SECRET"]}
            else:
                user, password = env.get("KEYCLOAK_USER", ""), env.get("KEYCLOAK_PASSWORD", "")
                form |= {"grant_type": "password", "username": user, "password": password}
            realm = env.get("KEYCLOAK_REALM", "master")
            response = requests.post(
                f"{self._keycloak}/realms/{realm}/protocol/openid-connect/token",
                data=form,
                verify=self._verify,
                timeout=_TIMEOUT,
            )
            response.raise_for_status()
            self._keycloak_token = str(response.json()["access_token"])
        return self._keycloak_token

    def _named(self, items: Any, key: str, value: str) -> str | None:  # noqa: ANN401 - JSON
        return next((str(item["id"]) for item in items or () if item[key] == value), None)

    def _realm(self, inputs: Inputs) -> str | None:
        return inputs["realm"] if self._keycloak_api(inputs["realm"]) else None

    def _group(self, inputs: Inputs) -> str | None:
        realm, parent = inputs["realmId"], inputs.get("parentId")
        path = f"{realm}/groups/{parent}/children" if parent else f"{realm}/groups"
        everything = {"max": "100000", "briefRepresentation": "true"}
        return self._named(self._keycloak_api(path, **everything), "name", inputs["name"])

    def _user(self, inputs: Inputs) -> str | None:
        users = self._keycloak_api(f"{inputs['realmId']}/users", username=inputs["username"], exact="true")
        return self._named(users, "username", inputs["username"])

    def _client(self, inputs: Inputs) -> str | None:
        clients = self._keycloak_api(f"{inputs['realmId']}/clients", clientId=inputs["clientId"])
        return self._named(clients, "clientId", inputs["clientId"])

    def _client_scope(self, inputs: Inputs) -> str | None:
        return self._named(self._keycloak_api(f"{inputs['realmId']}/client-scopes"), "name", inputs["name"])

    def _mapper(self, inputs: Inputs) -> str | None:
        scope, client = inputs.get("clientScopeId"), inputs.get("clientId")
        owner = f"client-scopes/{scope}" if scope else f"clients/{client}"
        models = self._keycloak_api(f"{inputs['realmId']}/{owner}/protocol-mappers/models")
        return self._named(models, "name", inputs["name"])
