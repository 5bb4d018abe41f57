"""The base class of resource types: a regular type is a row of a table, an irregular one overrides methods.

Each provider derives a class from `Item` with the requests to its server.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from lab.plugins import fields
from lab.plugins.bridge import BridgedResource, Customise, Importer
from lab.plugins.fields import Convert
from lab.plugins.planning import Data
from lab.plugins.schema import Shape
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties

Client = TypeVar("Client")


@dataclass(frozen=True, kw_only=True)
class Item(ABC, Generic[Client]):
    """A resource type.

    These are maps of properties to fields: `always` are in every request; `sent` are in requests if they have a value;
    both are read back from the same field. `written` are only sent, `read_back` are only read. `encode` and `decode`
    convert values; `nullable` and `held` control missing fields (see `lab.plugins.fields`). Without `updatable`, each
    change requires a replacement. With `adopted`, the type cannot be created or changed: `usine drift --repair` adopts
    objects of it that were created outside the program, to delete them.
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

    # -- methods that an irregular type overrides ----------------------------------------------------------------------

    def body(self, data: Data) -> Properties:
        """Return the body of the update request."""
        sent = fields.given(data, {**self.sent, **self.written}, self.encode)
        return {**fields.always(data, self.always, self.encode), **sent}

    def creation(self, data: Data) -> Properties:
        """Return the body of the create request."""
        return self.body(data)

    def take(self, data: Data, found: Properties, client: Client) -> None:  # noqa: ARG002 - subclasses use it
        """Read the answer into the properties."""
        names = {**self.always, **self.sent, **self.read_back}
        fields.take(data, names, found, decode=self.decode, nullable=self.nullable, held=self.held)

    def customise(self) -> Customise | None:
        """Return the function that customises a plan, if there is one."""
        return None

    def importer(self) -> Importer[Client] | None:
        """Return the function that reads an import id; None if that is the id itself."""
        return None

    # -- operations ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def find(self, data: Data, client: Client) -> Properties | None:
        """Return the object from the server, None if it does not exist."""

    @abstractmethod
    def create(self, data: Data, client: Client) -> None:
        """Create the object."""

    @abstractmethod
    def update(self, data: Data, client: Client) -> None:
        """Update the object."""

    @abstractmethod
    def delete(self, data: Data, client: Client) -> None:
        """Delete the object."""

    def read(self, data: Data, client: Client) -> None:
        """Read the object, if it exists."""
        found = self.find(data, client)
        if found is None:
            data.id = ""
            return
        self.take(data, found, client)

    def refuse(self, data: Data, _client: Client) -> None:
        """Raise `PluginError` (see `adopted`)."""
        token = data.shape.token
        raise PluginError(f"the local platform's plugin does not create or update {token}, it only deletes it")

    def resource(self) -> BridgedResource[Client]:
        """Return the resource type."""
        create, update = (self.refuse, self.refuse) if self.adopted else (self.create, self.update)
        return BridgedResource(
            self.shape, create, self.read, update if self.updatable else None, self.delete, self.importer(),
            customise=self.customise(),
        )  # fmt: skip


def table(*items: Item[Client]) -> dict[str, BridgedResource[Client]]:
    """Return the resource types by token."""
    return {item.shape.token: item.resource() for item in items}
