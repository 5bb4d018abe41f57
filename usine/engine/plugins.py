"""Checks before a run that the provider plugins are recent enough for the program."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

import yaml

from pulumi_facts.plugins import probe, too_old
from usine.engine.cli import Engine, EngineError

_KUBERNETES = "kubernetes"
_SDK = "pulumi-kubernetes"


def check_plugins(engine: Engine) -> None:
    """Raise EngineError when the engine would start a kubernetes plugin that is too old.

    The engine uses the first of: the plugin in `plugins.providers` of `Pulumi.yaml`, the plugin on the PATH, the plugin
    of the SDK's version. The first two can have any version, so they are asked for it.
    """
    for path in (_of_project(engine), _of_path(engine)):
        if path is not None:
            _refuse(too_old(_KUBERNETES, probe(path)), str(path))
            return
    asked = metadata.version(_SDK)
    _refuse(too_old(_KUBERNETES, asked), f"the package {_SDK} {asked}")


def _of_project(engine: Engine) -> Path | None:
    project = yaml.safe_load((engine.root / "Pulumi.yaml").read_text(encoding="utf-8")) or {}
    for plugin in (project.get("plugins") or {}).get("providers") or ():
        if plugin.get("name") == _KUBERNETES and "path" in plugin:
            return engine.root / str(plugin["path"]) / f"pulumi-resource-{_KUBERNETES}"
    return None


def _of_path(engine: Engine) -> Path | None:
    if engine.environment.get("PULUMI_IGNORE_AMBIENT_PLUGINS", "").lower() in {"1", "true"}:
        return None
    found = shutil.which(f"pulumi-resource-{_KUBERNETES}", path=engine.environment.get("PATH"))
    return Path(found) if found else None


def _refuse(problem: str, what: str) -> None:
    if problem:
        raise EngineError(f"{what}: {problem}")
