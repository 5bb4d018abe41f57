"""What Harbor holds under a path that is its id."""

from __future__ import annotations

from dataclasses import dataclass

from lab.plugins import items
from lab.plugins.harbor.client import ApiError, Harbor, in_project
from lab.plugins.planning import Data
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties


@dataclass(frozen=True, kw_only=True)
class Item(items.Item[Harbor]):
    """A resource type whose objects are made in `collection`; the path Harbor answers is the id.

    With a `project`, the property that names one, the collection is in that project. With `vague` upstream reports any
    failure of a reading as an object that was not found; with `may_be_gone` it takes one that is not there for deleted.
    """

    collection: str
    project: str = ""
    vague: bool = False
    may_be_gone: bool = True

    def where(self, data: Data) -> str:
        """Return the path one is made in."""
        return f"{in_project(data.get(self.project))}{self.collection}" if self.project else self.collection

    def find(self, data: Data, client: Harbor) -> Properties | None:
        """Return what Harbor says of it, None when it is not there."""
        try:
            found: Properties = client.get(data.id)
        except ApiError as error:
            if error.missing:
                return None
            raise PluginError(f"resource not found {data.id}") if self.vague else error from None
        return found

    def create(self, data: Data, client: Harbor) -> None:
        """Make it."""
        data.id, _ = client.post(self.where(data), self.creation(data))
        self.read(data, client)

    def update(self, data: Data, client: Harbor) -> None:
        """Change it in place."""
        client.put(data.id, self.body(data))
        self.read(data, client)

    def delete(self, data: Data, client: Harbor) -> None:
        """Take it away."""
        try:
            client.delete(data.id)
        except ApiError as error:
            if not (error.missing and self.may_be_gone):
                raise
