"""The keycloak function that the program uses: it looks up a user."""

from __future__ import annotations

from typing import Final

from lab.plugins.bridge import BridgedFunction
from lab.plugins.keycloak.client import KeycloakPluginClient
from lab.plugins.keycloak.people import user_of
from lab.plugins.schema import function
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties


def _get_user(args: Properties, keycloak: KeycloakPluginClient) -> Properties:
    realm, username = str(args["realmId"]), str(args["username"])
    user = user_of(keycloak, realm, username)
    if user is None:
        raise PluginError(f"user with username {username} not found")
    identities = keycloak.get(f"/realms/{realm}/users/{user['id']}/federated-identity")
    return {
        "id": user["id"],
        "realmId": realm,
        "username": user["username"],
        "email": user.get("email", ""),
        "emailVerified": user["emailVerified"],
        "enabled": user["enabled"],
        "firstName": user.get("firstName", ""),
        "lastName": user.get("lastName", ""),
        "attributes": {name: "##".join(values) for name, values in (user.get("attributes") or {}).items()},
        "requiredActions": sorted(user.get("requiredActions") or ()),
        "federatedIdentities": [str(identity["identityProvider"]) for identity in identities],
    }


_USER: Final = function("keycloak:index/getUser:getUser")
FUNCTIONS: Final = {_USER.token: BridgedFunction(_USER, _get_user)}
