"""Resource types with a path in Vault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from lab.plugins import fields, items
from lab.plugins.planning import Data
from lab.plugins.server import PluginError, refused
from lab.plugins.vault.client import VaultPluginClient
from lab.plugins.wire import Properties


@dataclass(frozen=True, kw_only=True)
class VaultItem(items.Item[VaultPluginClient]):
    """A resource type. An object's id is composed of properties (`auth/{backend}/role/{roleName}`) or set by Vault.

    `at` is the path of an object with an id. `filled` maps properties to fields that are in requests if they are not
    zero, and are read back. `what` is upstream's name of an object with a malformed id, `refused` has its messages for
    failed operations.
    """

    id: str = ""
    at: str = "{id}"
    filled: Mapping[str, str] = field(default_factory=dict)
    what: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)

    # -- methods that an irregular type overrides ----------------------------------------------------------------------

    def body(self, data: Data) -> Properties:
        """Return the body of the update request."""
        return {**super().body(data), **fields.always(data, {n: f for n, f in self.filled.items() if data.ok(n)})}

    def take(self, data: Data, found: Properties, client: VaultPluginClient) -> None:
        """Read the answer into the properties."""
        super().take(data, found, client)
        fields.take(data, self.filled, found, decode=self.decode, held=self.held)
        for name, value in self.parts(data.id).items():
            data.set(name, value)

    def find(self, data: Data, client: VaultPluginClient) -> Properties | None:
        """Return the object from Vault, None if it does not exist."""
        self.parts(data.id)
        with self.refusing("read", data):
            return client.read(self.path(data))

    # -- operations ---------------------------------------------------------------------------------------------------

    def parts(self, id_: str) -> Mapping[str, str]:
        """Return the properties in an id; raises `PluginError` if the id is malformed."""
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
        """Return a context that prefixes Vault's refusal of an operation with upstream's message."""
        name = data.raw("name") if "name" in self.shape.fields else ""
        return refused(self.refused.get(doing, "").format(id=data.id, name=name))

    def write(self, doing: str, data: Data, client: VaultPluginClient) -> None:
        """Write the object and read it back."""
        id_ = data.id or self.id.format(**{name: data.get(name) for name in re.findall(r"\{(\w+)\}", self.id)})
        with refused(self.refused.get(doing, "").format(id=id_)):
            client.write(self.at.format(id=id_), self.creation(data) if data.new else self.body(data))
        data.id = id_
        self.read(data, client)

    def create(self, data: Data, client: VaultPluginClient) -> None:
        """Create the object."""
        self.write("create", data, client)

    def update(self, data: Data, client: VaultPluginClient) -> None:
        """Update the object."""
        self.write("update", data, client)

    def delete(self, data: Data, client: VaultPluginClient) -> None:
        """Delete the object."""
        with self.refusing("delete", data):
            client.delete(self.path(data))
