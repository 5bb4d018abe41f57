"""Secret mounts, and the base class of auth mounts."""

from __future__ import annotations

import time
from typing import Any, Final

from lab.plugins import fields
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.schema import resource
from lab.plugins.server import PluginError
from lab.plugins.vault.client import RefusedError, VaultPluginClient
from lab.plugins.vault.items import VaultItem
from lab.plugins.wire import Properties, Value

_TUNE_TRIES: Final = 10
_MISSING: Final = ("No secret engine mount at", "No auth engine at")


def get_mount(vault: VaultPluginClient, path: str) -> Properties | None:
    """Return a mount (`sys/mounts/x` or `sys/auth/x`) from the server, or None if it does not exist."""
    try:
        answer = vault.request("GET", path)
    except RefusedError as fault:
        if fault.status == 404 or (  # noqa: PLR2004 - HTTP
            fault.status == 400 and any(text in error for error in fault.errors for text in _MISSING)  # noqa: PLR2004 - HTTP status, bad request
        ):
            return None
        raise
    found: Properties | None = None if answer is None else answer.get("data", answer)
    return found


def remount(vault: VaultPluginClient, source: str, target: str) -> None:
    """Move a mount and wait until it is moved; raises `PluginError` when that fails."""
    answer = vault.request("POST", "sys/remount", {"from": source, "to": target})
    ticket = ((answer or {}).get("data") or {}).get("migration_id")
    while ticket:
        status = vault.read(f"sys/remount/status/{ticket}") or {}
        state = (status.get("migration_info") or {}).get("status")
        if state == "success":
            return
        if state == "failure":
            raise PluginError(f"failure! Error encountered moving mount {source} to {target}")
        time.sleep(1)


# -- secret mounts ----------------------------------------------------------------------------------------------------

#: Options for the creation of a secret mount, sent only if they are set.
_OPTIONS: Final = fields.fields(
    "auditNonHmacRequestKeys", "auditNonHmacResponseKeys", "allowedManagedKeys", "passthroughRequestHeaders",
    "allowedResponseHeaders", "listingVisibility",
)  # fmt: skip
_CONFIG: Final = fields.fields("defaultLeaseTtlSeconds", "maxLeaseTtlSeconds", "forceNoCache")


class _Mount(VaultItem):
    @staticmethod
    def _ttls(data: Data) -> Properties:
        return {f"{kind}_lease_ttl": f"{data.get(f'{kind}LeaseTtlSeconds')}s" for kind in ("default", "max")}

    def creation(self, data: Data) -> Properties:
        given = {name: field for name, field in _OPTIONS.items() if data.ok(name)}
        config = {**self._ttls(data), "force_no_cache": data.get("forceNoCache"), **fields.always(data, given)}
        return {**super().creation(data), "config": config}

    def update(self, data: Data, client: VaultPluginClient) -> None:
        """Move the mount if its path changes, and tune it.

        Tuning is retried, because it fails for a while after a move.
        """
        changed = {n: field for n, field in {"description": "description", **_OPTIONS}.items() if data.changed(n)}
        body = {**self._ttls(data), "options": data.get("options"), **fields.always(data, changed)}
        if data.changed("path"):
            target = data.get("path")
            try:
                remount(client, data.id, target)
            except PluginError as error:
                raise PluginError(f"error remounting in Vault: {error}") from None
            data.id = target
        for attempt in range(_TUNE_TRIES + 2):
            try:
                client.request("POST", f"sys/mounts/{data.id}/tune", body)
                break
            except RefusedError as fault:
                if attempt > _TUNE_TRIES:
                    raise PluginError(f"error updating Vault: {fault}") from None
                time.sleep(1)
        self.read(data, client)

    def find(self, data: Data, client: VaultPluginClient) -> Properties | None:
        """Return the mount with the type `kv-v2` if the program uses it, which Vault does not report back."""
        found = get_mount(client, self.path(data))
        options = dict((found or {}).get("options") or {})
        if found is None or data.raw("type") != "kv-v2" or found["type"] != "kv" or options.get("version") != "2":
            return found
        if not data.get("options").get("version"):
            options.pop("version")
        return {**found, "type": "kv-v2", "options": options}

    def take(self, data: Data, found: Properties, client: VaultPluginClient) -> None:
        super().take(data, found, client)
        config = found["config"]
        for kind in ("default", "max"):
            data.set(f"{kind}LeaseTtlSeconds", config.get(f"{kind}_lease_ttl"))
        fields.take(data, {"forceNoCache": "force_no_cache", **_OPTIONS}, config)


_MOUNT: Final = _Mount(
    shape=resource("vault:index/mount:Mount", sets=("allowedManagedKeys",)),
    id="{path}",
    at="sys/mounts/{id}",
    always=fields.fields("type", "description", "local", "sealWrap", "options"),
    read_back=fields.fields("accessor"),
    refused={"create": "error writing to Vault", "delete": "error deleting from Vault"},
)

# -- auth mounts ------------------------------------------------------------------------------------------------------


def _no_slashes(value: Value) -> str | None:
    text = str(value)
    return f"invalid value {text!r}, cannot contain leading or trailing slashes" if text.strip("/") != text else None


class AuthMount(VaultItem):
    """An auth mount; only its description is tuned."""

    def creation(self, data: Data) -> Properties:
        """Return the body of the create request."""
        return {**super().creation(data), "description": data.get("description"), "config": {}}

    def find(self, data: Data, client: VaultPluginClient) -> Properties | None:
        """Return the object from Vault, None if it does not exist."""
        return get_mount(client, self.path(data))

    def move(self, data: Data, client: VaultPluginClient) -> None:
        """Move the mount if its path changes."""
        if data.changed("path"):
            source, target = data.old("path"), data.get("path")
            try:
                remount(client, f"auth/{source}", f"auth/{target}")
            except PluginError as error:
                raise PluginError(f'error remounting to "auth/{target}": {error}') from None
            data.id = target

    def update(self, data: Data, client: VaultPluginClient) -> None:
        """Update the mount. Like upstream, this also resets its tuning to the server's defaults."""
        self.move(data, client)
        if data.changed("description"):
            untuned = {"default_lease_ttl": "", "max_lease_ttl": "", "force_no_cache": False}
            body = {**untuned, "description": data.get("description")}
            client.request("POST", f"sys/mounts/auth/{data.id}/tune", body)
        self.read(data, client)


class _NamedAuthMount(AuthMount):
    def create(self, data: Data, client: VaultPluginClient) -> None:
        """Create the mount; the default path is its type."""
        data.set("path", data.get("path") or data.get("type"))
        super().create(data, client)

    def take(self, data: Data, found: Properties, client: VaultPluginClient) -> None:
        super().take(data, found, client)
        data.set("description", found.get("description"))


AUTH: Final[Any] = {
    "id": "{path}",
    "at": "sys/auth/{id}",
    "always": fields.fields("type", "local"),
    "read_back": fields.fields("accessor"),
    "refused": {"create": "error writing to Vault", "delete": "error disabling auth from Vault"},
}
RESOURCES: Final = table(
    _MOUNT,
    _NamedAuthMount(
        shape=resource("vault:index/authBackend:AuthBackend").tuned(
            validate={"path": _no_slashes},
            suppress={"path": lambda old, new, _plan: f"{old}/" == new or f"{new}/" == old},
        ),
        **AUTH,
    ),
)
