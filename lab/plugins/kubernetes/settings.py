"""The provider's settings: its own names, the environment's fallbacks, what a change of them means."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lab.plugins.kubernetes import kubeconfig
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Unknown, Value

QPS: Final = 50.0
BURST: Final = 120
_CLUSTER_KEYS: Final = ("kubeconfig", "context", "cluster")
_KNOWN: Final = frozenset(
    {
        *_CLUSTER_KEYS, "namespace", "clusterIdentifier", "deleteUnreachable", "enableConfigMapMutable",
        "enablePatchForce", "enableSecretMutable", "enableServerSideApply", "helmReleaseSettings", "kubeClientSettings",
        "renderYamlToDirectory", "alwaysRender", "skipUpdateUnreachable", "strictMode", "suppressDeprecationWarnings",
        "suppressHelmHookWarnings", "upsertExistingObjects",
    }
)  # fmt: skip
_UNSUPPORTED: Final = ("renderYamlToDirectory", "alwaysRender")


@dataclass(frozen=True)
class Settings:
    """The settings in use; `kubeconfig` is a path, a text or a map."""

    kubeconfig: Value
    context: str
    cluster: str
    namespace: str
    server_side: bool
    patch_force: bool
    upsert: bool
    delete_unreachable: bool
    skip_unreachable: bool
    secrets_mutable: bool
    config_maps_mutable: bool
    qps: float
    burst: int
    timeout: float | None

    def __repr__(self) -> str:
        """A kubeconfig holds credentials: show where, not what."""
        return f"Settings(context={self.context!r}, cluster={self.cluster!r}, namespace={self.namespace!r})"


def decoded(values: Mapping[str, Value]) -> Properties:
    """Undo the protocol's encoding: flags and maps arrive as JSON text."""
    found: Properties = {}
    for name, value in values.items():
        if name in ("kubeClientSettings", "helmReleaseSettings") and isinstance(value, str):
            try:
                found[name] = json.loads(value) if value else {}
            except json.JSONDecodeError as error:
                raise PluginError(f"failed to unmarshal {name} option: {error.msg}") from None
        elif name == "kubeconfig":
            found[name] = kubeconfig.from_json(value)
        else:
            found[name] = value
    return found


def settings(values: Mapping[str, Value]) -> Settings:
    """Build the settings; raises `PluginError` for one that makes no sense or that this stand-in lacks."""
    found = decoded(values)
    for name in _UNSUPPORTED:
        if found.get(name) not in (None, "", "false", False):
            raise PluginError(f"kubernetes:{name} is not supported by this stand-in plugin")
    client = found.get("kubeClientSettings") or {}

    def flag(name: str, variable: str, default: bool = False) -> bool:
        value = found.get(name)
        if value in (None, ""):
            value = os.environ.get(f"PULUMI_K8S_{variable}")
        return default if value is None else str(value).lower() == "true"

    def number(name: str, variable: str, default: float | None) -> float | None:
        value = client.get(name, os.environ.get(f"PULUMI_K8S_CLIENT_{variable}"))
        try:
            return default if value in (None, "") else float(value)
        except (TypeError, ValueError):
            raise PluginError(f"invalid value specified for kubeClientSettings.{name}: {value}") from None

    given = found.get("kubeconfig")
    return Settings(
        kubeconfig=kubeconfig.ambient() if given in (None, "") else given,
        context=str(found.get("context") or ""),
        cluster=str(found.get("cluster") or ""),
        namespace=str(found.get("namespace") or ""),
        server_side=flag("enableServerSideApply", "ENABLE_SERVER_SIDE_APPLY", True),
        patch_force=flag("enablePatchForce", "ENABLE_PATCH_FORCE"),
        upsert=flag("upsertExistingObjects", "UPSERT_EXISTING_OBJECTS"),
        delete_unreachable=flag("deleteUnreachable", "DELETE_UNREACHABLE"),
        skip_unreachable=flag("skipUpdateUnreachable", "SKIP_UPDATE_UNREACHABLE"),
        secrets_mutable=flag("enableSecretMutable", "ENABLE_SECRET_MUTABLE"),
        config_maps_mutable=flag("enableConfigMapMutable", "ENABLE_CONFIGMAP_MUTABLE"),
        qps=number("qps", "QPS", QPS) or QPS,
        burst=int(number("burst", "BURST", BURST) or BURST),
        timeout=number("timeout", "TIMEOUT", None),
    )


def unknown_names(values: Mapping[str, Value]) -> list[str]:
    """Return settings no provider of this kind has."""
    return [
        name
        for name in values
        if name not in _KNOWN and not name.startswith("__") and name not in ("version", "pluginDownloadURL")
    ]


def replacing(olds: Properties, news: Properties, changed: list[str]) -> list[str]:
    """Return the changed settings that mean another cluster, so that everything on it is made anew."""
    before, after = olds.get("clusterIdentifier"), news.get("clusterIdentifier")
    if before is not None and after is not None:
        return [] if before == after else ["clusterIdentifier"]
    for name in _CLUSTER_KEYS:
        if isinstance(news.get(name), Unknown):
            return [name]
    old, new = _active(olds), _active(news)
    if old is None or new is None or old == new:
        return []
    return [name for name in _CLUSTER_KEYS if name in changed]


def _active(values: Properties) -> dict[str, Any] | None:
    given = kubeconfig.from_json(values.get("kubeconfig"))
    if given in (None, ""):
        return None
    config, _ = kubeconfig.parse(given)
    return kubeconfig.active_cluster(config, str(values.get("context") or ""), str(values.get("cluster") or ""))
