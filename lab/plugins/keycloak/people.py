"""Groups, their members, roles and users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lab.plugins.items import table
from lab.plugins.keycloak.client import KeycloakApiError, KeycloakPluginClient, segment
from lab.plugins.keycloak.items import KeycloakItem, same
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Value

SEPARATOR: Final = "##"


def split_values(attributes: Mapping[str, str]) -> dict[str, list[str]]:
    """Return attributes in the server's form: several values in one string become a list."""
    return {key: str(value).split(SEPARATOR) for key, value in attributes.items()}


def join_values(attributes: Mapping[str, list[str]] | None) -> dict[str, str]:
    """Return attributes in the program's form."""
    return {key: SEPARATOR.join(values) for key, values in (attributes or {}).items()}


def _same_values(old: Value, new: Value, _plan: Properties) -> bool:
    """Whether two attributes have the same values, in any order."""
    before, after = split_values(old or {}), split_values(new or {})
    return before.keys() == after.keys() and all(sorted(before[key]) == sorted(after[key]) for key in before)


# -- groups -----------------------------------------------------------------------------------------------------------


class _KeycloakGroup(KeycloakItem):
    def made_in(self, data: Data) -> str:
        parent = data.get("parentId")
        return f"{self.where(data)}/{parent}/children" if parent else self.where(data)

    def body(self, data: Data) -> Properties:
        description = {"description": data.get("description")} if data.get("description") else {}
        return {**super().body(data), **description}

    def update(self, data: Data, client: KeycloakPluginClient) -> None:
        """Update the group. Like upstream, it is not read back."""
        super().update(data, client)
        for name in ("description", "attributes"):
            data.set(name, data.get(name))
        data.set("path", "")

    def found(self, data: Data, client: KeycloakPluginClient) -> Properties:
        """Return the group with its parent, which Keycloak's answer does not always contain."""
        group = super().found(data, client)
        above = str(group["path"]).removesuffix(group["name"])
        if above == "/":
            return group
        path = "/".join(segment(part) for part in above.strip("/").split("/"))
        parent = client.get(f"/realms/{data.get('realmId')}/group-by-path/{path}")
        return {**group, "parentId": parent["id"]}

    def take(self, data: Data, found: Properties, client: KeycloakPluginClient) -> None:
        super().take(data, found, client)
        if "parentId" in found:
            data.set("parentId", found["parentId"])


_GROUP: Final = _KeycloakGroup(
    shape=resource("keycloak:index/group:Group", autoname=("name",)).tuned(
        sticky={"description": True}, suppress={"attributes": _same_values}
    ),
    collection="groups",
    imported="{{realmId}}/{{groupId}}",
    reread=False,
    always=same("name", "attributes"),
    read_back=same("description", "path"),
    encode={"attributes": split_values},
    decode={"attributes": join_values},
)

# -- members of a group -----------------------------------------------------------------------------------------------

_PAGE: Final = 50


def user_of(keycloak: KeycloakPluginClient, realm: str, username: str) -> Properties | None:
    """Return the user with exactly this name, or None."""
    users = keycloak.get(f"/realms/{realm}/users", {"username": username.replace("\\", "\\\\")})
    return next((user for user in users if user["username"] == username), None)


class _Memberships(KeycloakItem):
    def check(self, data: Data, _client: KeycloakPluginClient) -> None:
        if any(name != name.lower() for name in data.get("members")):
            raise PluginError("expected all usernames within group membership to be lowercase")

    @staticmethod
    def _members(data: Data, client: KeycloakPluginClient) -> list[Properties]:
        path = f"/realms/{data.get('realmId')}/groups/{data.get('groupId')}/members"
        found: list[Properties] = []
        while page := client.get(path, {"max": str(_PAGE), "first": str(len(found))}):
            found.extend(page)
        return found

    def _place(self, data: Data, client: KeycloakPluginClient, username: str) -> str:
        """Return the path of a user's membership in the group."""
        user = user_of(client, data.get("realmId"), username)
        if user is None:
            raise PluginError(f"user with username {username} does not exist")
        return f"{self.where(data)}/{user['id']}/groups/{data.get('groupId')}"

    def create(self, data: Data, client: KeycloakPluginClient) -> None:
        """Add the members."""
        self.check(data, client)
        for username in data.get("members"):
            client.put(self._place(data, client, username))
        self.read(data, client)

    def update(self, data: Data, client: KeycloakPluginClient) -> None:
        """Add missing members, and remove others."""
        self.check(data, client)
        wanted = set(data.get("members"))
        present = {user["username"]: user["id"] for user in self._members(data, client)}
        for username in sorted(present.keys() - wanted):
            client.delete(f"{self.where(data)}/{present[username]}/groups/{data.get('groupId')}")
        for username in sorted(wanted - present.keys()):
            client.put(self._place(data, client, username))
        self.read(data, client)

    def found(self, data: Data, client: KeycloakPluginClient) -> Properties:
        """Return the members."""
        return {"members": [user["username"] for user in self._members(data, client)]}

    def take(self, data: Data, found: Properties, client: KeycloakPluginClient) -> None:
        super().take(data, found, client)
        data.id = f"{data.get('realmId')}/group-memberships/{data.get('groupId')}"

    def delete(self, data: Data, client: KeycloakPluginClient) -> None:
        """Remove the members."""
        try:
            for username in data.get("members"):
                client.delete(self._place(data, client, username))
        except KeycloakApiError as error:
            if not error.missing:
                raise


_MEMBERSHIPS: Final = _Memberships(
    shape=resource("keycloak:index/groupMemberships:GroupMemberships", sets=("members",)),
    collection="users",
    read_back=same("members"),
)

# -- roles ------------------------------------------------------------------------------------------------------------


class _KeycloakRole(KeycloakItem):
    def take(self, data: Data, found: Properties, client: KeycloakPluginClient) -> None:
        super().take(data, found, client)
        data.set("clientId", found["containerId"] if found.get("clientRole") else "")


_ROLE: Final = _KeycloakRole(
    shape=resource("keycloak:index/role:Role", autoname=("name",)),
    collection="roles-by-id",
    imported="{{realm}}/{{roleId}}.",
    adopted=True,
    read_back=same("name", "description"),
)

# -- users ------------------------------------------------------------------------------------------------------------


def _lower(value: Value) -> str | None:
    text = str(value)
    return f"expected username {text} to be all lowercase" if text.lower() != text else None


class _KeycloakUser(KeycloakItem):
    def update(self, data: Data, client: KeycloakPluginClient) -> None:
        """Update the user. Like upstream, it removes links to identity providers that the program does not set."""
        super().update(data, client)
        links = f"{self.path(data)}/federated-identity"
        for identity in client.get(links):
            client.delete(f"{links}/{identity['identityProvider']}")

    def take_import(self, data: Data, client: KeycloakPluginClient) -> None:
        """Read an import id, which ends with an id or a name."""
        super().take_import(data, client)
        if self.find(data, client) is None and (known := user_of(client, data.get("realmId"), data.id)):
            data.id = known["id"]


_USER: Final = _KeycloakUser(
    shape=resource("keycloak:index/user:User").tuned(
        default={"emailVerified": False, "enabled": True},
        validate={"username": _lower},
        suppress={"attributes": _same_values},
    ),
    collection="users",
    imported="{{realmId}}/({{userId}}|{{userName}})",
    reread=False,
    always=same("username", "email", "emailVerified", "firstName", "lastName", "enabled", "attributes"),
    encode={"attributes": split_values},
    decode={"attributes": join_values},
)

RESOURCES: Final = table(_GROUP, _MEMBERSHIPS, _ROLE, _USER)
