"""The provider plugins of one platform: the official ones where they can be had, our stand-ins elsewhere."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from lab.engine import plugin_sources as sources
from lab.engine.interpreter import plugin_needs
from lab.engine.wrappers import write_wrapper
from lab.environment import environment
from lab.errors import LabError
from lab.files import write_private
from lab.home import LabHome

#: Provider -> the Python package of its SDK, and the module of its stand-in.
PROVIDERS: Final[Mapping[str, tuple[str, str]]] = {
    "vault": ("pulumi_vault", "lab.plugins.vault"),
    "keycloak": ("pulumi_keycloak", "lab.plugins.keycloak"),
    "kubernetes": ("pulumi_kubernetes", "lab.plugins.kubernetes"),
}


class PluginChoice(StrEnum):
    """Which plugins to use: official ones where they can be had; nothing but official ones; nothing but stand-ins."""

    AUTO = "auto"
    OFFICIAL = "official"
    STAND_IN = "stand-in"


@dataclass(frozen=True, slots=True)
class PluginInUse:
    """An installed plugin. `version` is the one the program asks for; `kind` is "official" or "stand-in"."""

    name: str
    version: str
    kind: str
    origin: str


@dataclass(frozen=True, slots=True)
class _Record:
    """What a platform remembers: what is in use, and the downloads that failed (name -> version)."""

    in_use: tuple[PluginInUse, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


def install(home: LabHome, choice: PluginChoice, plugin_dir: Path | None = None) -> tuple[PluginInUse, ...]:
    """Install a plugin for every provider package of the program, in place of what was there; sorted by name.

    `plugin_dir` may hold `pulumi-resource-X`, `resource-X-v*/pulumi-resource-X` or `pulumi-resource-X-v*.tar.gz`.
    Raises LabError when official ones are asked for and some cannot be had (it names them all), and when there is
    no such folder.
    """
    if plugin_dir is not None and not plugin_dir.is_dir():
        raise LabError(f"--plugin-dir {plugin_dir}: no such folder")
    before = _read(home)
    failed = dict(before.failed)
    wanted = wanted_versions()
    kept: dict[str, PluginInUse] = {}
    refusals: dict[str, str] = {}
    with tempfile.TemporaryDirectory(dir=home.root, prefix="download-") as scratch:
        found: dict[str, sources.Official] = {}
        if choice is not PluginChoice.STAND_IN:
            for name, version in wanted.items():
                official, refusals[name] = sources.find(name, version, plugin_dir)
                if official is not None:
                    found[name] = official
                elif (plugin := _kept(home, before, name, version)) is not None:
                    kept[name] = plugin
            missing = {name: version for name, version in wanted.items() if name not in found and name not in kept}
            # Asked for outright, a download is tried again: the network may have come back.
            tried = missing if choice is PluginChoice.OFFICIAL else dict(missing.items() - failed.items())
            reasons = _download(home, tried, Path(scratch))
            for name, reason in reasons.items():
                if reason:
                    failed[name] = wanted[name]
                else:
                    failed.pop(name, None)
                    found[name] = sources.Official(name, wanted[name], _in(Path(scratch), name, wanted[name]))
            if choice is PluginChoice.OFFICIAL and any(reasons.values()):
                _write(home, _Record(before.in_use, failed))
                raise LabError(_lacking(wanted, refusals, reasons))
        for name in wanted.keys() - kept.keys():
            _clear(home, name)
            if name in found:
                kept[name] = _place(home, found[name], scratch)
            else:
                module = PROVIDERS[name][1]
                write_wrapper(executable(home, name, wanted[name]), module)
                why = f" ({refusals[name]})" if refusals.get(name) else ""
                kept[name] = PluginInUse(name, wanted[name], "stand-in", f"{module}{why}")
    used = tuple(kept[name] for name in sorted(kept))
    _write(home, _Record(used, failed))
    return used


def in_use(home: LabHome) -> tuple[PluginInUse, ...]:
    """Return what the last `install` left; empty before the first."""
    return _read(home).in_use


def wanted_versions() -> dict[str, str]:
    """Return the version each installed provider package asks for. A package that is not installed is left out."""
    wanted = {}
    for name, (package, _module) in PROVIDERS.items():
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            needs = plugin_needs((Path(spec.origin).parents[1],))
            wanted[name] = next(need.version for need in needs if need.name == name)
    return wanted


def executable(home: LabHome, name: str, version: str) -> Path:
    """Return where the engine looks for a plugin."""
    return _in(home.pulumi_home, name, version)


def _in(pulumi_home: Path, name: str, version: str) -> Path:
    return pulumi_home / "plugins" / f"resource-{name}-v{version}" / f"pulumi-resource-{name}"


def _place(home: LabHome, official: sources.Official, scratch: str) -> PluginInUse:
    try:
        official.place(executable(home, official.name, official.version))
    except OSError as error:
        _clear(home, official.name)
        raise LabError(f"the {official.name} plugin cannot be installed: {error}") from None
    origin = "downloaded" if official.path.is_relative_to(scratch) else str(official.path)
    return PluginInUse(official.name, official.version, "official", origin)


def _kept(home: LabHome, before: _Record, name: str, version: str) -> PluginInUse | None:
    """Return the official plugin an earlier run installed, when it is still there."""
    for plugin in before.in_use:
        if (plugin.name, plugin.version, plugin.kind) == (name, version, "official"):
            return plugin if executable(home, name, version).is_file() else None
    return None


def _clear(home: LabHome, name: str) -> None:
    for path in (home.pulumi_home / "plugins").glob(f"resource-{name}-v*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()  # the engine's lock or partial download


def _download(home: LabHome, versions: Mapping[str, str], pulumi_home: Path) -> dict[str, str]:
    """Try all at the same time: a silent network is waited for once. Return why each failed, empty for success."""
    if not versions:
        return {}
    surroundings = {**environment(home), "PULUMI_HOME": str(pulumi_home)}
    with ThreadPoolExecutor(len(versions)) as pool:
        reasons = pool.map(lambda name: sources.download(name, versions[name], surroundings), versions)
        return dict(zip(versions, reasons, strict=True))


def _lacking(wanted: Mapping[str, str], refusals: Mapping[str, str], reasons: Mapping[str, str]) -> str:
    lines = ["official plugins cannot be had (--plugins auto uses stand-ins for them):"]
    for name, reason in sorted(reasons.items()):
        if reason:
            why = "; ".join(filter(None, (refusals[name], f"download: {reason}")))
            lines.append(f"  pulumi-resource-{name} v{wanted[name]}: {why}")
    return "\n".join(lines)


def _memory(home: LabHome) -> Path:
    return home.root / "plugins.json"


def _read(home: LabHome) -> _Record:
    try:
        content = json.loads(_memory(home).read_text(encoding="utf-8"))
        used = tuple(PluginInUse(**{key: str(value) for key, value in item.items()}) for item in content["in_use"])
        return _Record(used, {str(name): str(version) for name, version in content["failed"].items()})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return _Record()  # everything in it can be found out again


def _write(home: LabHome, record: _Record) -> None:
    content = {"in_use": [asdict(plugin) for plugin in record.in_use], "failed": dict(record.failed)}
    write_private(_memory(home), json.dumps(content, indent=2) + "\n")
