# ruff: noqa: ANN401 - a kubeconfig has any content
"""Reads the settings of a connection from a kubeconfig, which is given by path or content."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from lab.plugins.checking import unsupported
from lab.plugins.server import PluginError
from lab.plugins.wire import Value

_DEFAULT_NAMESPACE: Final = "default"


@dataclass(frozen=True)
class ClusterAccess:
    """URL and credentials of the API server; certificates and keys are PEM text."""

    server: str
    namespace: str = _DEFAULT_NAMESPACE
    ca: str | None = None
    verify: bool = True
    token: str | None = None
    certificate: str | None = None
    key: str | None = None

    def __repr__(self) -> str:
        """Show no credentials."""
        return f"ClusterAccess(server={self.server!r}, namespace={self.namespace!r})"


def parse(value: Value) -> tuple[dict[str, Any], Path]:
    """Return a kubeconfig, given as a path, a text or a map, with the folder of its relative paths.

    Raises `PluginError` if it does not exist or cannot be read.
    """
    if isinstance(value, Mapping):
        return dict(value), Path.cwd()
    text = str(value)
    path = Path(text).expanduser() if len(text) < 4096 and "\n" not in text else None  # noqa: PLR2004 - a path's limit
    base = Path.cwd()
    if path is not None and path.is_file():
        text, base = path.read_text(encoding="utf-8"), path.resolve().parent
    try:
        config = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise PluginError(f"failed to parse kubeconfig: {' '.join(str(error).split())}") from None
    if not isinstance(config, dict):
        raise PluginError("failed to parse kubeconfig: neither a file nor a kubeconfig")
    return config, base


def ambient() -> Value:
    """Return the path of the default kubeconfig: the first existing file in `KUBECONFIG`."""
    for name in os.environ.get("KUBECONFIG", "").split(os.pathsep):
        if name and Path(name).expanduser().is_file():
            return name
    return str(Path.home() / ".kube" / "config")


def _named(items: Any, name: str, key: str) -> dict[str, Any] | None:
    for item in items or []:
        if isinstance(item, dict) and item.get("name") == name:
            found = item.get(key)
            return found if isinstance(found, dict) else {}
    return None


def active_cluster(config: Mapping[str, Any], context: str) -> dict[str, Any] | None:
    """Return the cluster entry in use, or None; `context` overrides the file's current context."""
    entry = _named(config.get("contexts"), context or str(config.get("current-context", "")), "context")
    if entry is None:
        return None
    return _named(config.get("clusters"), str(entry.get("cluster", "")), "cluster")


def access(value: Value, context: str = "") -> ClusterAccess:
    """Return URL and credentials of the cluster; raises `PluginError`, with one line, if the file has none."""
    config, base = parse(value)
    name = context or str(config.get("current-context", ""))
    entry = _named(config.get("contexts"), name, "context")
    if entry is None:
        raise PluginError(f'context "{name}" does not exist' if name else "invalid configuration: no context is chosen")
    where = active_cluster(config, context)
    if not where or not where.get("server"):
        raise PluginError(f'invalid configuration: no server found for cluster "{entry.get("cluster")}"')
    if where.get("tls-server-name"):
        raise PluginError(f"kubeconfig: {unsupported('tls-server-name')}")
    user = _named(config.get("users"), str(entry.get("user", "")), "user") or {}
    for way in ("exec", "auth-provider", "tokenFile", "username"):
        if way in user:
            raise PluginError(
                f"kubeconfig: user {entry.get('user')} logs in with `{way}`, which this stand-in does not support"
            )
    return ClusterAccess(
        server=str(where["server"]).rstrip("/"),
        namespace=str(entry.get("namespace") or _DEFAULT_NAMESPACE),
        ca=_text(where, "certificate-authority", base),
        verify=not where.get("insecure-skip-tls-verify", False),
        token=user.get("token"),
        certificate=_text(user, "client-certificate", base),
        key=_text(user, "client-key", base),
    )


def _text(entry: Mapping[str, Any], key: str, base: Path) -> str | None:
    data, file = entry.get(f"{key}-data"), entry.get(key)
    try:
        if data:
            return base64.b64decode(str(data)).decode("ascii")
        return (base / str(file)).read_text(encoding="ascii") if file else None
    except (OSError, ValueError) as error:
        raise PluginError(f"unable to read {key} {file or ''}: {error}") from None


def from_json(value: Value) -> Value:
    """Decode a kubeconfig that is given as a map."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value
