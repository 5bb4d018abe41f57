"""What a realm holds lists of."""

from __future__ import annotations

from dataclasses import dataclass

from lab.plugins import items
from lab.plugins.bridge import Importer
from lab.plugins.keycloak.client import ApiError, Keycloak
from lab.plugins.planning import Data
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties


def same(*names: str) -> dict[str, str]:
    """Return property -> field: most have the same name."""
    return {name: name for name in names}


@dataclass(frozen=True, kw_only=True)
class Item(items.Item[Keycloak]):
    """A resource type whose objects are in a list of their realm, `collection`, by their ids.

    `imported` is how upstream calls an import id. Without `reread` upstream takes an update for done as planned.
    """

    collection: str
    imported: str = ""
    reread: bool = True

    # -- what an irregular type overrides -----------------------------------------------------------------------------

    def where(self, data: Data) -> str:
        """Return the path of the list."""
        return f"/realms/{data.get('realmId')}/{self.collection}"

    def made_in(self, data: Data) -> str:
        """Return the path to make one at."""
        return self.where(data)

    def check(self, data: Data, client: Keycloak) -> None:
        """Refuse what upstream refuses before it asks Keycloak; raises `PluginError`."""

    def found(self, data: Data, client: Keycloak) -> Properties:
        """Return what Keycloak says of it; raises `ApiError` when it is not there."""
        answer: Properties = client.get(self.path(data))
        return answer

    def take_import(self, data: Data, _client: Keycloak) -> None:
        """Read an import id, `realm/id`; raises `PluginError` for one that is none."""
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
        """Return the request that updates, which repeats the id."""
        return {**self.body(data), "id": data.id}

    def importer(self) -> Importer[Keycloak] | None:
        """Return what reads an import id."""
        return self.take_import if self.imported else None

    def find(self, data: Data, client: Keycloak) -> Properties | None:
        """Return what Keycloak says of it, None when it is not there."""
        try:
            return self.found(data, client)
        except ApiError as error:
            if error.missing:
                return None
            raise

    def create(self, data: Data, client: Keycloak) -> None:
        """Make it."""
        self.check(data, client)
        _, data.id = client.post(self.made_in(data), self.creation(data))
        self.read(data, client)

    def update(self, data: Data, client: Keycloak) -> None:
        """Change it in place."""
        self.check(data, client)
        client.put(self.path(data), self.identified(data))
        if self.reread:
            self.read(data, client)

    def delete(self, data: Data, client: Keycloak) -> None:
        """Take it away."""
        client.delete(self.path(data))
