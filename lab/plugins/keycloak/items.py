"""Resource types in lists of a realm."""

from __future__ import annotations

from dataclasses import dataclass

from lab.plugins import items
from lab.plugins.bridge import Importer
from lab.plugins.keycloak.client import KeycloakApiError, KeycloakPluginClient
from lab.plugins.planning import Data
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties


def same(*names: str) -> dict[str, str]:
    """Return a map of properties to fields: most have the same name."""
    return {name: name for name in names}


@dataclass(frozen=True, kw_only=True)
class KeycloakItem(items.Item[KeycloakPluginClient]):
    """A resource type whose objects are in their realm's list `collection`, by id.

    `imported` is upstream's description of an import id. Without `reread`, the state after an update is the plan, as in
    upstream.
    """

    collection: str
    imported: str = ""
    reread: bool = True

    # -- methods that an irregular type overrides ----------------------------------------------------------------------

    def where(self, data: Data) -> str:
        """Return the path of the list."""
        return f"/realms/{data.get('realmId')}/{self.collection}"

    def made_in(self, data: Data) -> str:
        """Return the path for its creation."""
        return self.where(data)

    def check(self, data: Data, client: KeycloakPluginClient) -> None:
        """Raise `PluginError` for inputs that upstream refuses before it sends a request."""

    def found(self, data: Data, client: KeycloakPluginClient) -> Properties:
        """Return the object from Keycloak; raises `KeycloakApiError` if it does not exist."""
        answer: Properties = client.get(self.path(data))
        return answer

    def take_import(self, data: Data, _client: KeycloakPluginClient) -> None:
        """Read an import id, `realm/id`; raises `PluginError` if it is malformed."""
        parts = data.id.split("/")
        if len(parts) != 2:  # noqa: PLR2004 - the format's own number
            raise PluginError(f"Invalid import. Supported import formats: {self.imported}")
        realm, data.id = parts
        data.set("realmId", realm)

    # -- operations ---------------------------------------------------------------------------------------------------

    def path(self, data: Data) -> str:
        """Return the path of the object."""
        return f"{self.where(data)}/{data.id}"

    def identified(self, data: Data) -> Properties:
        """Return the body of the update request, which contains the id."""
        return {**self.body(data), "id": data.id}

    def importer(self) -> Importer[KeycloakPluginClient] | None:
        """Return the function that reads an import id."""
        return self.take_import if self.imported else None

    def find(self, data: Data, client: KeycloakPluginClient) -> Properties | None:
        """Return the object from Keycloak, None if it does not exist."""
        try:
            return self.found(data, client)
        except KeycloakApiError as error:
            if error.missing:
                return None
            raise

    def create(self, data: Data, client: KeycloakPluginClient) -> None:
        """Create the object."""
        self.check(data, client)
        _, data.id = client.post(self.made_in(data), self.creation(data))
        self.read(data, client)

    def update(self, data: Data, client: KeycloakPluginClient) -> None:
        """Update the object."""
        self.check(data, client)
        client.put(self.path(data), self.identified(data))
        if self.reread:
            self.read(data, client)

    def delete(self, data: Data, client: KeycloakPluginClient) -> None:
        """Delete the object."""
        client.delete(self.path(data))
