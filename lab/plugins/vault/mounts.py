# ruff: noqa: ANN401 - JSON from a server
"""Secret mounts, auth mounts in general."""

from __future__ import annotations

import re
import time
from typing import Any, Final

from lab.plugins.bridge import Resource
from lab.plugins.fields import snake
from lab.plugins.planning import Data, is_zero
from lab.plugins.schema import one_of, resource
from lab.plugins.server import PluginError, refused
from lab.plugins.vault.client import RefusedError, Vault
from lab.plugins.wire import Properties, Value

_TUNE_TRIES: Final = 10
_NOT_FOUND: Final = ("No secret engine mount at", "No auth engine at")
_DURATION: Final = re.compile(r"[-+]?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+\Z|0\Z")

# Create-time options of a secret mount that are lists of strings, sent only when given.
_MOUNT_LISTS: Final = (
    "auditNonHmacRequestKeys",
    "auditNonHmacResponseKeys",
    "allowedManagedKeys",
    "passthroughRequestHeaders",
    "allowedResponseHeaders",
    "delegatedAuthAccessors",
)


def is_missing(fault: RefusedError) -> bool:
    """Tell whether the server says that a mount does not exist."""
    return fault.status == 404 or (  # noqa: PLR2004 - HTTP
        fault.status == 400 and any(text in error for error in fault.errors for text in _NOT_FOUND)  # noqa: PLR2004
    )


def get_mount(vault: Vault, path: str, at: Data | None) -> Properties | None:
    """Return what the server knows of a mount (`sys/mounts/x` or `sys/auth/x`), or None when it is not there."""
    try:
        answer = vault.request("GET", path, at=at)
    except RefusedError as fault:
        if is_missing(fault):
            return None
        raise
    found: Properties | None = None if answer is None else answer.get("data", answer)
    return found


# -- secret mounts ----------------------------------------------------------------------------------------------------

MOUNT: Final = resource("vault:index/mount:Mount", sets=("allowedManagedKeys",)).tuned(
    default={"externalEntropyAccess": False}
)


def _options(data: Data) -> dict[str, str]:
    return {key: str(value) for key, value in data.get("options").items()}


def _create_mount(data: Data, vault: Vault) -> None:
    config: Properties = {
        "default_lease_ttl": f"{data.get('defaultLeaseTtlSeconds')}s",
        "max_lease_ttl": f"{data.get('maxLeaseTtlSeconds')}s",
        "force_no_cache": data.get("forceNoCache"),
    }
    for name in (*_MOUNT_LISTS, "listingVisibility", "pluginVersion"):
        if data.ok(name):
            config[snake(name)] = data.get(name)
    path = data.get("path")
    body = {
        "type": data.get("type"),
        "description": data.get("description"),
        "config": config,
        "local": data.get("local"),
        "seal_wrap": data.get("sealWrap"),
        "external_entropy_access": data.get("externalEntropyAccess"),
        "options": _options(data),
    }
    with refused("error writing to Vault"):
        vault.request("POST", f"sys/mounts/{path}", body, at=data)
    data.id = path
    _read_mount(data, vault)


def _update_mount(data: Data, vault: Vault) -> None:
    config: Properties = {
        "default_lease_ttl": f"{data.get('defaultLeaseTtlSeconds')}s",
        "max_lease_ttl": f"{data.get('maxLeaseTtlSeconds')}s",
        "options": _options(data),
    }
    for name in ("description", *_MOUNT_LISTS, "listingVisibility", "pluginVersion"):
        if data.changed(name):
            config[snake(name)] = data.get(name)
    if data.changed("path"):
        target = data.get("path")
        try:
            remount(vault, data.id, target, data)
        except PluginError as error:
            raise PluginError(f"error remounting in Vault: {error}") from None
        data.id = target
    for attempt in range(_TUNE_TRIES + 2):
        try:
            vault.request("POST", f"sys/mounts/{data.id}/tune", config, at=data)
            break
        except RefusedError as fault:
            if attempt > _TUNE_TRIES:
                raise PluginError(f"error updating Vault: {fault}") from None
            time.sleep(1)
    _read_mount(data, vault)


def remount(vault: Vault, source: str, target: str, at: Data) -> None:
    """Move a mount and wait until the server has done it; raises `PluginError` when it fails."""
    answer = vault.request("POST", "sys/remount", {"from": source, "to": target}, at=at)
    ticket = ((answer or {}).get("data") or {}).get("migration_id")
    while ticket:
        status = vault.read(f"sys/remount/status/{ticket}", at=at) or {}
        state = (status.get("migration_info") or {}).get("status")
        if state == "success":
            return
        if state == "failure":
            raise PluginError(f"failure! Error encountered moving mount {source} to {target}")
        time.sleep(1)


def _read_mount(data: Data, vault: Vault) -> None:
    mount = get_mount(vault, f"sys/mounts/{data.id}", data)
    if mount is None:
        data.id = ""
        return
    kind, options = mount["type"], dict(mount.get("options") or {})
    if data.raw("type") == "kv-v2" and kind == "kv" and options.get("version") == "2":
        # «kv-v2» is an alias the server does not report back.
        kind = "kv-v2"
        if not _options(data).get("version"):
            options.pop("version")
    config = mount["config"]
    data.set("type", kind)
    data.set("path", data.id)
    data.set("description", mount.get("description"))
    data.set("accessor", mount.get("accessor"))
    data.set("local", mount.get("local"))
    data.set("options", options)
    data.set("sealWrap", mount.get("seal_wrap"))
    data.set("externalEntropyAccess", mount.get("external_entropy_access"))
    data.set("defaultLeaseTtlSeconds", config.get("default_lease_ttl"))
    data.set("maxLeaseTtlSeconds", config.get("max_lease_ttl"))
    data.set("forceNoCache", config.get("force_no_cache"))
    for name in (*_MOUNT_LISTS, "listingVisibility", "identityTokenKey"):
        data.set(name, config.get(snake(name)))


def _delete_mount(data: Data, vault: Vault) -> None:
    with refused("error deleting from Vault"):
        vault.delete(f"sys/mounts/{data.id}", at=data)


# -- auth mounts ------------------------------------------------------------------------------------------------------


def duration(value: Value) -> str | None:
    """Check a Go duration string."""
    return None if _DURATION.match(str(value)) else f"expected '{value}' to be a valid duration string"


TUNE_CHECKS: Final = {
    "defaultLeaseTtl": duration,
    "maxLeaseTtl": duration,
    "listingVisibility": one_of("unauth", "hidden"),
    "tokenType": one_of("default-service", "default-batch", "service", "batch"),
}


def _no_slashes(value: Value) -> str | None:
    text = str(value)
    return f"invalid value {text!r}, cannot contain leading or trailing slashes" if text.strip("/") != text else None


AUTH_BACKEND: Final = resource("vault:index/authBackend:AuthBackend").tuned(
    default={"disableRemount": False},
    validate={"path": _no_slashes},
    suppress={"path": lambda old, new, _plan: f"{old}/" == new or f"{new}/" == old},
    fields={"tune": {"validate": TUNE_CHECKS}},
)


def short_duration(seconds: Any) -> str:
    """Write seconds as the shortest Go duration: 3600 -> `1h`."""
    left = int(seconds or 0)
    if not left:
        return "0s"
    hours, minutes, rest = left // 3600, left % 3600 // 60, left % 60
    return "".join(f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if n)


def read_tune(data: Data, vault: Vault, path: str) -> None:
    """Read an auth mount's tuning: what the program did not say stays empty, durations stay as it wrote them."""
    with refused("error reading tune information from Vault"):
        tune = (vault.request("GET", f"sys/mounts/auth/{path}/tune", at=data) or {}).get("data") or {}
    found: Properties = {
        "defaultLeaseTtl": short_duration(tune.get("default_lease_ttl")),
        "maxLeaseTtl": short_duration(tune.get("max_lease_ttl")),
        "listingVisibility": tune.get("listing_visibility") or "",
        "tokenType": tune.get("token_type") or "",
    }
    for name in (
        "auditNonHmacRequestKeys", "auditNonHmacResponseKeys", "passthroughRequestHeaders", "allowedResponseHeaders",
    ):  # fmt: skip
        found[name] = [item for item in tune.get(snake(name)) or [] if item]
    given = data.raw("tune")
    if given is not None:
        for name in ("tokenType", "listingVisibility"):
            if is_zero(given.get(name)):
                found[name] = ""
        for name in ("defaultLeaseTtl", "maxLeaseTtl"):
            found[name] = given.get(name) or ""
    data.set("tune", found)


def tune_body(tune: Properties | None) -> Properties:
    """Return the request that applies a `tune` block; an empty list clears the server's."""
    body: Properties = {"default_lease_ttl": "", "max_lease_ttl": "", "force_no_cache": False}
    for name, value in (tune or {}).items():
        if name in ("defaultLeaseTtl", "maxLeaseTtl"):
            body[snake(name)] = value or ""
        elif name in ("listingVisibility", "tokenType"):
            if value:
                body[snake(name)] = value
        else:
            body[snake(name)] = value or [""]
    return body


def moved(prior: Properties | None, planned: Properties, _inputs: Any) -> set[str]:
    """A change of path moves the mount, unless the program opted out: then it is a new one."""
    if prior is None or is_zero(prior.get("path")) or prior.get("path") == planned.get("path"):
        return set()
    return {"path"} if planned.get("disableRemount") else set()


def move_auth(data: Data, vault: Vault) -> None:
    """Move an auth mount when its path changes."""
    if data.changed("path"):
        source, target = data.old("path"), data.get("path")
        try:
            remount(vault, f"auth/{source}", f"auth/{target}", data)
        except PluginError as error:
            raise PluginError(f'error remounting to "auth/{target}": {error}') from None
        data.id = target


def _create_auth(data: Data, vault: Vault) -> None:
    kind = data.get("type")
    path = data.get("path") or kind
    body = {"type": kind, "description": data.get("description"), "local": data.get("local"), "config": {}}
    with refused("error writing to Vault"):
        vault.request("POST", f"sys/auth/{path}", body, at=data)
    data.id = path
    _update_auth(data, vault)


def _update_auth(data: Data, vault: Vault) -> None:
    if not data.new:
        move_auth(data, vault)
    body: Properties | None = None
    if data.changed("tune") and data.raw("tune") is not None:
        body = tune_body(data.raw("tune"))
    if not data.new and data.changed("description"):
        body = {**(body or tune_body(None)), "description": data.get("description")}
    if body is not None:
        vault.request("POST", f"sys/mounts/auth/{data.id}/tune", body, at=data)
    _read_auth(data, vault)


def _read_auth(data: Data, vault: Vault) -> None:
    mount = get_mount(vault, f"sys/auth/{data.id}", data)
    if mount is None:
        data.id = ""
        return
    data.set("type", mount["type"])
    data.set("path", data.id)
    data.set("description", mount.get("description"))
    data.set("local", mount.get("local"))
    data.set("accessor", mount.get("accessor"))
    read_tune(data, vault, data.id)


def delete_auth(data: Data, vault: Vault) -> None:
    """Disable an auth mount, with all its roles."""
    with refused("error disabling auth from Vault"):
        vault.delete(f"sys/auth/{data.id}", at=data)


RESOURCES: Final = {
    shape.token: Resource(shape, create, read, update, delete, customise=customise)
    for shape, create, read, update, delete, customise in (
        (MOUNT, _create_mount, _read_mount, _update_mount, _delete_mount, None),
        (AUTH_BACKEND, _create_auth, _read_auth, _update_auth, delete_auth, moved),
    )
}
