"""What Harbor holds under a path that is its id: a regular type is a row, an irregular one overrides a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.plugins import fields
from lab.plugins.bridge import Resource
from lab.plugins.harbor.client import ApiError, Harbor, in_project
from lab.plugins.planning import Data
from lab.plugins.schema import Shape
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties


@dataclass(frozen=True, kw_only=True)
class Item:
    """A resource type whose objects are made in `collection`; the path Harbor answers is the id.

    With a `project`, the property that names one, the collection is in that project. Properties, each with its field:
    `sent` are in every request and read back, as are the outputs in `read_back`. With `vague` upstream reports any
    failure of a reading as an object that was not found; with `may_be_gone` it takes one that is not there for deleted.
    """

    shape: Shape
    collection: str
    project: str = ""
    sent: Mapping[str, str] = field(default_factory=dict)
    read_back: Mapping[str, str] = field(default_factory=dict)
    vague: bool = False
    may_be_gone: bool = True

    # -- what an irregular type overrides -----------------------------------------------------------------------------

    def body(self, data: Data) -> Properties:
        """Return the request that updates."""
        return fields.always(data, self.sent)

    def creation(self, data: Data) -> Properties:
        """Return the request that creates."""
        return self.body(data)

    def take(self, data: Data, found: Properties, harbor: Harbor) -> None:  # noqa: ARG002 - for those that ask for more
        """Read an answer."""
        fields.take(data, {**self.sent, **self.read_back}, found)

    def find(self, data: Data, harbor: Harbor) -> Properties | None:
        """Return what Harbor says of it, None when it is not there."""
        try:
            found: Properties = harbor.get(data.id)
        except ApiError as error:
            if error.missing:
                return None
            raise PluginError(f"resource not found {data.id}") if self.vague else error from None
        return found

    # -- operations ---------------------------------------------------------------------------------------------------

    def where(self, data: Data) -> str:
        """Return the path one is made in."""
        return f"{in_project(data.get(self.project))}{self.collection}" if self.project else self.collection

    def create(self, data: Data, harbor: Harbor) -> None:
        """Make it."""
        data.id, _ = harbor.post(self.where(data), self.creation(data))
        self.read(data, harbor)

    def read(self, data: Data, harbor: Harbor) -> None:
        """Read it, if it is there."""
        found = self.find(data, harbor)
        if found is None:
            data.id = ""
            return
        self.take(data, found, harbor)

    def update(self, data: Data, harbor: Harbor) -> None:
        """Change it in place."""
        harbor.put(data.id, self.body(data))
        self.read(data, harbor)

    def delete(self, data: Data, harbor: Harbor) -> None:
        """Take it away."""
        try:
            harbor.delete(data.id)
        except ApiError as error:
            if not (error.missing and self.may_be_gone):
                raise

    def resource(self) -> Resource[Harbor]:
        """Return the resource type."""
        return Resource(self.shape, self.create, self.read, self.update, self.delete)


def table(*items: Item) -> Mapping[str, Resource[Harbor]]:
    """Return the resource types by their token."""
    return {item.shape.token: item.resource() for item in items}
