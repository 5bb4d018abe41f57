"""What servers hold lists of: a regular resource type is a row of a table, an irregular one overrides a method.

Each provider has an `Item` of its own, which says how its server is asked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from lab.plugins import fields
from lab.plugins.bridge import Customise, Importer, Resource
from lab.plugins.fields import Convert
from lab.plugins.planning import Data
from lab.plugins.schema import Shape
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

Client = TypeVar("Client")


@dataclass(frozen=True, kw_only=True)
class Item(ABC, Generic[Client]):
    """A resource type.

    Properties, each with its field: `always` are in every request, `sent` where they have a value; both are read back
    from the same field. `written` are sent, `read_back` are read, and no more. `encode` and `decode` convert values;
    `nullable` and `held` say what becomes of what an answer lacks (see `lab.plugins.fields`). Without `updatable` none
    is changed in place. With `adopted` nothing here makes or changes one: `usine drift --repair` adopts one that was
    made by hand, to delete it.
    """

    shape: Shape
    always: Mapping[str, str] = field(default_factory=dict)
    sent: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    read_back: Mapping[str, str] = field(default_factory=dict)
    encode: Mapping[str, Convert] = field(default_factory=dict)
    decode: Mapping[str, Convert] = field(default_factory=dict)
    nullable: Collection[str] = ()
    held: Collection[str] = ()
    updatable: bool = True
    adopted: bool = False

    # -- what an irregular type overrides -----------------------------------------------------------------------------

    def body(self, data: Data) -> Properties:
        """Return the request that updates."""
        sent = fields.given(data, {**self.sent, **self.written}, self.encode)
        return {**fields.always(data, self.always, self.encode), **sent}

    def creation(self, data: Data) -> Properties:
        """Return the request that creates."""
        return self.body(data)

    def take(self, data: Data, found: Properties, client: Client) -> None:  # noqa: ARG002 - for those that ask for more
        """Read an answer."""
        names = {**self.always, **self.sent, **self.read_back}
        fields.take(data, names, found, decode=self.decode, nullable=self.nullable, held=self.held)

    def customise(self) -> Customise | None:
        """Return what is to be decided about a plan."""
        return None

    def importer(self) -> Importer[Client] | None:
        """Return what reads an import id; None where that is the id itself."""
        return None

    # -- operations ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def find(self, data: Data, client: Client) -> Properties | None:
        """Return what the server says of it, None when it is not there."""

    @abstractmethod
    def create(self, data: Data, client: Client) -> None:
        """Make it."""

    @abstractmethod
    def update(self, data: Data, client: Client) -> None:
        """Change it in place."""

    @abstractmethod
    def delete(self, data: Data, client: Client) -> None:
        """Take it away."""

    def read(self, data: Data, client: Client) -> None:
        """Read it, if it is there."""
        found = self.find(data, client)
        if found is None:
            data.id = ""
            return
        self.take(data, found, client)

    def refuse(self, data: Data, _client: Client) -> None:
        """Raise `PluginError`: see `adopted`."""
        token = data.shape.token
        raise PluginError(f"the local platform's plugin does not make or change a {token}, it only deletes one")

    def resource(self) -> Resource[Client]:
        """Return the resource type."""
        create, update = (self.refuse, self.refuse) if self.adopted else (self.create, self.update)
        return Resource(
            self.shape, create, self.read, update if self.updatable else None, self.delete, self.importer(),
            customise=self.customise(),
        )  # fmt: skip


def table(*items: Item[Client]) -> dict[str, Resource[Client]]:
    """Return the resource types by their token."""
    return {item.shape.token: item.resource() for item in items}
