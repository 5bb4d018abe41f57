"""Keys of the transit engine."""

from __future__ import annotations

import random
from typing import Final

from lab.plugins import fields
from lab.plugins.bridge import Customise
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError, refused
from lab.plugins.vault.client import VaultPluginClient
from lab.plugins.vault.items import VaultItem
from lab.plugins.wire import Properties, Value

#: What a key keeps once it has it.
_FOREVER: Final = fields.fields("exportable", "allowPlaintextBackup")


def _positive(value: Value) -> str | None:
    if isinstance(value, int | float) and value < 1:
        return f'"min_decryption_version" must be equal to or greater than 1, got: {value}'
    return None


def _kept(prior: Properties | None, planned: Properties, _inputs: object) -> set[str]:
    for name, field in _FOREVER.items():
        if prior is not None and prior.get(name) and planned[name] is False:
            raise PluginError(f"'{field}' cannot be disabled on a key that already has it enabled")
    return set()


class _Key(VaultItem):
    def customise(self) -> Customise:
        return _kept

    def creation(self, data: Data) -> Properties:
        """Return the body of the first request; a second one configures the key."""
        return fields.always(data, fields.fields("convergentEncryption", "derived", "type", "autoRotatePeriod"))

    def create(self, data: Data, client: VaultPluginClient) -> None:
        """Create the key and configure it. The server leaves a key that exists unchanged.

        Like upstream, this does not send `minEncryptionVersion`: its field's name there has a misspelling.
        """
        backend, name = data.get("backend").strip("/"), data.get("name").strip("/")
        path = f"{backend}/keys/{name}"
        with refused(f'error creating encryption key {name} for transit secret backend "{backend}"'):
            client.write(path, self.creation(data))
        config = self.body(data)
        del config["min_encryption_version"]
        with refused(f'error setting configuration for transit secret backend key "{path}"'):
            client.write(f"{path}/config", config)
        data.id = path
        self.read(data, client)

    def update(self, data: Data, client: VaultPluginClient) -> None:
        """Configure the key."""
        with refused(f'error updating transit secret backend key "{data.id}"'):
            client.write(f"{data.id}/config", self.body(data))
        self.read(data, client)

    def take(self, data: Data, found: Properties, client: VaultPluginClient) -> None:
        super().take(data, found, client)
        # A version of a symmetric key is only the time of its creation.
        versions = [version if isinstance(version, dict) else {"id": version} for version in found["keys"].values()]
        # Like upstream, in no order.
        random.shuffle(versions)
        data.set("keys", [{name: _text(value) for name, value in version.items()} for version in versions])


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


RESOURCES: Final = table(
    _Key(
        shape=resource("vault:transit/secretBackendKey:SecretBackendKey", autoname=("name",)).tuned(
            default={
                "type": "aes256-gcm96", "deletionAllowed": False, "convergentEncryption": False, "derived": False,
                "exportable": False, "allowPlaintextBackup": False, "minDecryptionVersion": 1,
                "minEncryptionVersion": 0,
            },
            validate={"minDecryptionVersion": _positive},
        ),
        id="{backend}/keys/{name}",
        what="transit secret backend key",
        always=fields.fields(
            "minDecryptionVersion", "minEncryptionVersion", "deletionAllowed", "exportable", "allowPlaintextBackup",
            "autoRotatePeriod",
        ),
        read_back=fields.fields(
            "type", "derived", "convergentEncryption", "latestVersion", "minAvailableVersion", "supportsEncryption",
            "supportsDecryption", "supportsDerivation", "supportsSigning",
        ),
        refused={"read": 'error reading key "{id}"', "delete": 'error deleting key "{id}"'},
    )
)  # fmt: skip
