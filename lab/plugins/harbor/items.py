"""Resource types whose id is a path in Harbor's API."""

from __future__ import annotations

from dataclasses import dataclass

from lab.plugins import items
from lab.plugins.harbor.client import HarborApiError, HarborPluginClient, in_project
from lab.plugins.planning import Data
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties


@dataclass(frozen=True, kw_only=True)
class HarborItem(items.Item[HarborPluginClient]):
    """A resource type whose objects are created in `collection`; the path in Harbor's answer is the id.

    `project` is the property with the project that contains the collection, if any. With `vague`, each failure to read
    is reported as "resource not found", as in upstream; with `may_be_gone`, the deletion of an object that does not
    exist succeeds.
    """

    collection: str
    project: str = ""
    vague: bool = False
    may_be_gone: bool = True

    def where(self, data: Data) -> str:
        """Return the path of the collection."""
        return f"{in_project(data.get(self.project))}{self.collection}" if self.project else self.collection

    def find(self, data: Data, client: HarborPluginClient) -> Properties | None:
        """Return the object from Harbor, None if it does not exist."""
        try:
            found: Properties = client.get(data.id)
        except HarborApiError as error:
            if error.missing:
                return None
            raise PluginError(f"resource not found {data.id}") if self.vague else error from None
        return found

    def create(self, data: Data, client: HarborPluginClient) -> None:
        """Create the object."""
        data.id, _ = client.post(self.where(data), self.creation(data))
        self.read(data, client)

    def update(self, data: Data, client: HarborPluginClient) -> None:
        """Update the object."""
        client.put(data.id, self.body(data))
        self.read(data, client)

    def delete(self, data: Data, client: HarborPluginClient) -> None:
        """Delete the object."""
        try:
            client.delete(data.id)
        except HarborApiError as error:
            if not (error.missing and self.may_be_gone):
                raise
