"""The provider plugins of one platform: official ones if they are available, else stand-ins."""

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
from pulumi_facts.plugins import has_oldest, probe, too_old

#: Provider -> Python package of its SDK, and module of its stand-in.
PROVIDERS: Final[Mapping[str, tuple[str, str]]] = {
    "vault": ("pulumi_vault", "lab.plugins.vault"),
    "keycloak": ("pulumi_keycloak", "lab.plugins.keycloak"),
    "gitlab": ("pulumi_gitlab", "lab.plugins.gitlab"),
    "harbor": ("pulumiverse_harbor", "lab.plugins.harbor"),
    "kubernetes": ("pulumi_kubernetes", "lab.plugins.kubernetes"),
}


class PluginChoice(StrEnum):
    """Which plugins to use: official ones if available, only official ones, or only stand-ins."""

    AUTO = "auto"
    OFFICIAL = "official"
    STAND_IN = "stand-in"


@dataclass(frozen=True, slots=True)
class PluginInUse:
    """An installed plugin; `kind` is "official" or "stand-in".

    The `version` of an official plugin is its answer, else the version in its file name, else "unknown"; a stand-in has
    the version of the plugin that it replaces. The engine finds either under the version that the program requires.
    """

    name: str
    version: str
    kind: str
    origin: str


@dataclass(frozen=True, slots=True)
class _Record:
    """A platform's record: the plugins in use, and the failed downloads (name -> version)."""

    in_use: tuple[PluginInUse, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


def install(home: LabHome, choice: PluginChoice, plugin_dir: Path | None = None) -> tuple[PluginInUse, ...]:
    """Install a plugin for every provider package of the program, replace earlier ones, and return them sorted by name.

    `plugin_dir` can contain `pulumi-resource-X`, `resource-X-v*/pulumi-resource-X` or `pulumi-resource-X-v*.tar.gz`, of
    any version. The order of search: that folder; the exact version in the user's own Pulumi, from an earlier run, by
    download; any version in the user's own Pulumi. Raises LabError when official plugins are required and some are not
    available (with all their names), when the folder does not exist, and when a plugin is too old for the program.
    """
    check(plugin_dir)
    before = _read(home)
    failed = dict(before.failed)
    wanted = wanted_versions()
    with tempfile.TemporaryDirectory(dir=home.root, prefix="download-") as scratch:
        found, kept = ({}, {}) if choice is PluginChoice.STAND_IN else _at_hand(home, before, wanted, plugin_dir)
        if choice is not PluginChoice.STAND_IN:
            missing = {name: version for name, version in wanted.items() if name not in found and name not in kept}
            # If only official plugins are accepted, a failed download is tried again.
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
    """Raise LabError when the folder does not exist or a plugin in it is too old for the program."""
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
    """Return the sorted providers without an official plugin in a folder or an installation. Needs no engine."""
    wanted = wanted_versions()
    found, kept = _at_hand(home, _read(home), wanted, plugin_dir)
    return tuple(sorted(wanted.keys() - found.keys() - kept.keys()))


def in_use(home: LabHome) -> tuple[PluginInUse, ...]:
    """Return the plugins of the last `install`; empty before the first."""
    return _read(home).in_use


def wanted_versions() -> dict[str, str]:
    """Return the plugin version that each installed provider package requires."""
    wanted = {}
    for name, (package, _module) in PROVIDERS.items():
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            needs = plugin_needs((Path(spec.origin).parents[1],))
            wanted[name] = next(need.version for need in needs if need.name == name)
    return wanted


def executable(home: LabHome, name: str, version: str) -> Path:
    """Return the path at which the engine looks for a plugin."""
    return _in(home.pulumi_home, name, version)


def _in(pulumi_home: Path, name: str, version: str) -> Path:
    return pulumi_home / "plugins" / f"resource-{name}-v{version}" / f"pulumi-resource-{name}"


def _at_hand(
    home: LabHome, before: _Record, wanted: Mapping[str, str], plugin_dir: Path | None
) -> tuple[dict[str, sources.Official], dict[str, PluginInUse]]:
    """Return the official plugins in a folder, and for the others those that an earlier run installed."""
    found: dict[str, sources.Official] = {}
    kept: dict[str, PluginInUse] = {}
    for name, version in wanted.items():
        if (official := sources.find(name, version, plugin_dir)) is not None:
            found[name] = official
        elif (plugin := _kept(home, before, name, version)) is not None:
            kept[name] = plugin
    return found, kept


def _place(home: LabHome, official: sources.Official, wanted: str, scratch: str) -> PluginInUse:
    """Install a plugin, of any version, where the engine looks for the version that the program requires."""
    path = executable(home, official.name, wanted)
    try:
        official.place(path)
    except OSError as error:
        _clear(home, official.name)
        raise LabError(f"the {official.name} plugin cannot be installed: {error}") from None
    version = probe(path) or official.version or "unknown"
    try:
        _refuse_old(official, version)  # the version in a folder's name can be wrong
    except LabError:
        _clear(home, official.name)
        raise
    origin = "downloaded" if official.path.is_relative_to(scratch) else str(official.path)
    return PluginInUse(official.name, version, "official", origin)


def _kept(home: LabHome, before: _Record, name: str, wanted: str) -> PluginInUse | None:
    """Return the official plugin, of any version, that an earlier run installed, if it is still there."""
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
    """Download all in parallel, so that a silent network costs one timeout. Return each failure, empty for success."""
    if not versions:
        return {}
    surroundings = {**environment(home), "PULUMI_HOME": str(pulumi_home)}
    with ThreadPoolExecutor(len(versions)) as pool:
        reasons = pool.map(lambda name: sources.download(name, versions[name], surroundings), versions)
        return dict(zip(versions, reasons, strict=True))


def _lacking(wanted: Mapping[str, str], reasons: Mapping[str, str]) -> str:
    lines = ["official plugins are not available (--plugins auto uses stand-ins for them):"]
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
        return _Record()  # a lost record costs only another search


def _write(home: LabHome, record: _Record) -> None:
    content = {"in_use": [asdict(plugin) for plugin in record.in_use], "failed": dict(record.failed)}
    write_private(_memory(home), json.dumps(content, indent=2) + "\n")
