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
from usine.plugins import has_oldest, probe, too_old

#: Provider -> the Python package of its SDK, and the module of its stand-in.
PROVIDERS: Final[Mapping[str, tuple[str, str]]] = {
    "vault": ("pulumi_vault", "lab.plugins.vault"),
    "keycloak": ("pulumi_keycloak", "lab.plugins.keycloak"),
    "gitlab": ("pulumi_gitlab", "lab.plugins.gitlab"),
    "harbor": ("pulumiverse_harbor", "lab.plugins.harbor"),
    "kubernetes": ("pulumi_kubernetes", "lab.plugins.kubernetes"),
}


class PluginChoice(StrEnum):
    """Which plugins to use: official ones where they can be had; nothing but official ones; nothing but stand-ins."""

    AUTO = "auto"
    OFFICIAL = "official"
    STAND_IN = "stand-in"


@dataclass(frozen=True, slots=True)
class PluginInUse:
    """An installed plugin; `kind` is "official" or "stand-in".

    `version` of an official one is what it answers, else what the name it was found under states, else "unknown";
    of a stand-in, the version it stands in for. The engine finds it under the version the program asks for.
    """

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

    `plugin_dir` may hold `pulumi-resource-X`, `resource-X-v*/pulumi-resource-X` or `pulumi-resource-X-v*.tar.gz`, of
    any version. First that folder, then the very version of the user's own Pulumi, of an earlier run, of a download;
    then any version of the user's own. Raises LabError when official ones are asked for and some cannot be had (it
    names them all), when there is no such folder, and when a plugin found is too old for the program.
    """
    check(plugin_dir)
    before = _read(home)
    failed = dict(before.failed)
    wanted = wanted_versions()
    with tempfile.TemporaryDirectory(dir=home.root, prefix="download-") as scratch:
        found, kept = ({}, {}) if choice is PluginChoice.STAND_IN else _at_hand(home, before, wanted, plugin_dir)
        if choice is not PluginChoice.STAND_IN:
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
            for name in missing.keys() - found.keys():
                if (nearest := sources.find_nearest(name, wanted[name])) is not None:
                    found[name] = nearest
            lacking = {name: reasons[name] for name in missing.keys() - found.keys() if name in reasons}
            if choice is PluginChoice.OFFICIAL and lacking:
                _write(home, _Record(before.in_use, failed))
                raise LabError(_lacking(wanted, lacking))
        for name, version in wanted.items():
            if name in kept:
                continue
            _clear(home, name)
            if name in found:
                kept[name] = _place(home, found[name], version, scratch)
            else:
                module = PROVIDERS[name][1]
                write_wrapper(executable(home, name, version), module)
                kept[name] = PluginInUse(name, version, "stand-in", module)
    used = tuple(kept[name] for name in sorted(kept))
    _write(home, _Record(used, failed))
    return used


def check(plugin_dir: Path | None) -> None:
    """Raise LabError when there is no such folder, or a plugin in it is too old for the program."""
    if plugin_dir is None:
        return
    if not plugin_dir.is_dir():
        raise LabError(f"--plugin-dir {plugin_dir}: no such folder")
    for name, wanted in wanted_versions().items():
        found = sources.find(name, wanted, plugin_dir) if has_oldest(name) else None
        if found is not None:
            _refuse_old(found, found.version or probe(found.path))


def _refuse_old(official: sources.Official, version: str) -> None:
    if problem := too_old(official.name, version):
        raise LabError(f"{official.path}: {problem}")


def to_download(home: LabHome, plugin_dir: Path | None = None) -> tuple[str, ...]:
    """Return the providers, sorted, whose official plugin is neither in a folder nor installed. Needs no engine."""
    wanted = wanted_versions()
    found, kept = _at_hand(home, _read(home), wanted, plugin_dir)
    return tuple(sorted(wanted.keys() - found.keys() - kept.keys()))


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


def _at_hand(
    home: LabHome, before: _Record, wanted: Mapping[str, str], plugin_dir: Path | None
) -> tuple[dict[str, sources.Official], dict[str, PluginInUse]]:
    """Return what a folder has, and what an earlier run installed of the rest."""
    found: dict[str, sources.Official] = {}
    kept: dict[str, PluginInUse] = {}
    for name, version in wanted.items():
        if (official := sources.find(name, version, plugin_dir)) is not None:
            found[name] = official
        elif (plugin := _kept(home, before, name, version)) is not None:
            kept[name] = plugin
    return found, kept


def _place(home: LabHome, official: sources.Official, wanted: str, scratch: str) -> PluginInUse:
    """Install a plugin where the engine looks for the version the program asks for, whichever it is."""
    path = executable(home, official.name, wanted)
    try:
        official.place(path)
    except OSError as error:
        _clear(home, official.name)
        raise LabError(f"the {official.name} plugin cannot be installed: {error}") from None
    version = probe(path) or official.version or "unknown"
    try:
        _refuse_old(official, version)  # a folder's name may state another version than the plugin's own
    except LabError:
        _clear(home, official.name)
        raise
    origin = "downloaded" if official.path.is_relative_to(scratch) else str(official.path)
    return PluginInUse(official.name, version, "official", origin)


def _kept(home: LabHome, before: _Record, name: str, wanted: str) -> PluginInUse | None:
    """Return the official plugin an earlier run installed, of whichever version, when it is still there."""
    for plugin in before.in_use:
        if (plugin.name, plugin.kind) == (name, "official"):
            usable = executable(home, name, wanted).is_file() and not too_old(name, plugin.version)
            return plugin if usable else None
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


def _lacking(wanted: Mapping[str, str], reasons: Mapping[str, str]) -> str:
    lines = ["official plugins cannot be had (--plugins auto uses stand-ins for them):"]
    lines += (
        f"  pulumi-resource-{name} v{wanted[name]}: download: {reason}" for name, reason in sorted(reasons.items())
    )
    return "\n".join(lines)


def _memory(home: LabHome) -> Path:
    return home.root / sources.RECORD


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
