"""The provider's settings: names, environment variables, and which changes replace the provider."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lab.plugins.kubernetes import kubeconfig
from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Unknown, Value

QPS: Final = 50.0
BURST: Final = 120
_CLUSTER_KEYS: Final = ("kubeconfig", "context")
#: Settings of the official plugin that this plugin does not support, because the program does not use them.
_REFUSED: Final = (
    "alwaysRender", "cluster", "deleteUnreachable", "helmReleaseSettings", "namespace", "strictMode",
)  # fmt: skip
_KNOWN: Final = frozenset(
    {
        *_CLUSTER_KEYS, *_REFUSED, "clusterIdentifier", "enableConfigMapMutable", "enablePatchForce",
        "enableSecretMutable", "enableServerSideApply", "kubeClientSettings", "renderYamlToDirectory",
        "skipUpdateUnreachable", "suppressDeprecationWarnings", "suppressHelmHookWarnings", "upsertExistingObjects",
    }
)  # fmt: skip


@dataclass(frozen=True)
class KubernetesSettings:
    """The settings in use; `kubeconfig` is a path, a text or a map, `folder` where manifests are written (or empty)."""

    kubeconfig: Value
    context: str
    patch_force: bool
    upsert: bool
    secrets_mutable: bool
    config_maps_mutable: bool
    qps: float
    burst: int
    timeout: float | None
    folder: str = ""
    skip_unreachable: bool = False

    def __repr__(self) -> str:
        """Show no kubeconfig content, which contains credentials."""
        return f"Settings(context={self.context!r})"


def decoded(values: Mapping[str, Value]) -> Properties:
    """Decode flags and maps, which arrive as JSON text."""
    found: Properties = {}
    for name, value in values.items():
        if name == "kubeClientSettings" and isinstance(value, str):
            try:
                found[name] = json.loads(value) if value else {}
            except json.JSONDecodeError as error:
                raise PluginError(f"failed to unmarshal {name} option: {error.msg}") from None
        elif name == "kubeconfig":
            found[name] = kubeconfig.from_json(value)
        else:
            found[name] = value
    return found


def settings(values: Mapping[str, Value]) -> KubernetesSettings:
    """Parse the settings; raises `PluginError` for an invalid one."""
    found = decoded(values)
    client = found.get("kubeClientSettings") or {}

    def flag(name: str) -> bool:
        return str(found.get(name)).lower() == "true"

    def number(name: str, default: float | None) -> float | None:
        value = client.get(name)
        try:
            return default if value in (None, "") else float(value)
        except (TypeError, ValueError):
            raise PluginError(f"invalid value specified for kubeClientSettings.{name}: {value}") from None

    given = found.get("kubeconfig")
    return KubernetesSettings(
        kubeconfig=kubeconfig.ambient() if given in (None, "") else given,
        context=str(found.get("context") or ""),
        patch_force=flag("enablePatchForce"),
        upsert=flag("upsertExistingObjects"),
        secrets_mutable=flag("enableSecretMutable"),
        config_maps_mutable=flag("enableConfigMapMutable"),
        qps=number("qps", QPS) or QPS,
        burst=int(number("burst", BURST) or BURST),
        timeout=number("timeout", None),
        folder=str(found.get("renderYamlToDirectory") or ""),
        skip_unreachable=flag("skipUpdateUnreachable"),
    )


def unknown_names(values: Mapping[str, Value]) -> list[str]:
    """Return names that are not settings of this provider."""
    return [
        name
        for name in values
        if name not in _KNOWN and not name.startswith("__") and name not in ("version", "pluginDownloadURL")
    ]


def refused_names(values: Mapping[str, Value]) -> list[str]:
    """Return settings that only the official plugin supports, also disabled server-side apply."""
    off = "enableServerSideApply" in values and str(values["enableServerSideApply"]).lower() != "true"
    return [name for name in _REFUSED if values.get(name) is not None] + ["enableServerSideApply"] * off


def replacing(olds: Properties, news: Properties, changed: list[str]) -> list[str]:
    """Return the changed settings that select another cluster, so that all its resources must be replaced."""
    before, after = olds.get("clusterIdentifier"), news.get("clusterIdentifier")
    if before is not None and after is not None:
        return [] if before == after else ["clusterIdentifier"]
    if "renderYamlToDirectory" in changed:
        return ["renderYamlToDirectory"]
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
    return kubeconfig.active_cluster(config, str(values.get("context") or ""))
