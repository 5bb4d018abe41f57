"""What Vault holds at a path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from lab.plugins import fields, items
from lab.plugins.planning import Data
from lab.plugins.server import PluginError, refused
from lab.plugins.vault.client import Vault
from lab.plugins.wire import Properties


@dataclass(frozen=True, kw_only=True)
class Item(items.Item[Vault]):
    """A resource type whose objects have an id made of properties, `auth/{backend}/role/{roleName}`, or by Vault.

    `at` is the path of an object with an id. `filled` are properties, each with its field, that are in requests where
    they have a value other than zero, and read back. `what` is how upstream calls an object whose id makes no sense,
    `refused` how it introduces what Vault has against an operation.
    """

    id: str = ""
    at: str = "{id}"
    filled: Mapping[str, str] = field(default_factory=dict)
    what: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)

    # -- what an irregular type overrides -----------------------------------------------------------------------------

    def body(self, data: Data) -> Properties:
        """Return the request that updates."""
        return {**super().body(data), **fields.always(data, {n: f for n, f in self.filled.items() if data.ok(n)})}

    def take(self, data: Data, found: Properties, client: Vault) -> None:
        """Read an answer."""
        super().take(data, found, client)
        fields.take(data, self.filled, found, decode=self.decode, held=self.held)
        for name, value in self.parts(data.id).items():
            data.set(name, value)

    def find(self, data: Data, client: Vault) -> Properties | None:
        """Return what Vault says of it, None when it is not there."""
        self.parts(data.id)
        with self.refusing("read", data):
            return client.read(self.path(data))

    # -- operations ---------------------------------------------------------------------------------------------------

    def parts(self, id_: str) -> Mapping[str, str]:
        """Return the properties an id is made of; raises `PluginError` for an id that is none of this type."""
        if not self.id:
            return {}
        match = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>.+?)", self.id), id_)
        if match is None:
            raise PluginError(f'invalid path "{id_}" for {self.what}: no backend found')
        return match.groupdict()

    def path(self, data: Data) -> str:
        """Return the path of the object."""
        return self.at.format(id=data.id)

    def refusing(self, doing: str, data: Data) -> AbstractContextManager[None]:
        """Return the context that introduces what Vault has against an operation."""
        name = data.raw("name") if "name" in self.shape.fields else ""
        return refused(self.refused.get(doing, "").format(id=data.id, name=name))

    def write(self, doing: str, data: Data, client: Vault) -> None:
        """Write the object, and read it back."""
        id_ = data.id or self.id.format(**{name: data.get(name) for name in re.findall(r"\{(\w+)\}", self.id)})
        with refused(self.refused.get(doing, "").format(id=id_)):
            client.write(self.at.format(id=id_), self.creation(data) if data.new else self.body(data))
        data.id = id_
        self.read(data, client)

    def create(self, data: Data, client: Vault) -> None:
        """Make it."""
        self.write("create", data, client)

    def update(self, data: Data, client: Vault) -> None:
        """Change it in place."""
        self.write("update", data, client)

    def delete(self, data: Data, client: Vault) -> None:
        """Take it away."""
        with self.refusing("delete", data):
            client.delete(self.path(data))
