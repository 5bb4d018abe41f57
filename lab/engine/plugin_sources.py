"""Sources of official provider plugins: a folder, the user's own Pulumi, a download."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pulumi_facts.plugins import order, probe, too_old

#: Name of the file beside a platform's PULUMI_HOME that records its plugins.
RECORD: Final = "plugins.json"
#: Limit of one download, in seconds.
DOWNLOAD_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Official:
    """An official plugin that was found: an executable, or a `.tar.gz` that contains one.

    `version` is taken from its name, from its folder's name, or from its answer; it is empty if not known.
    """

    name: str
    version: str
    path: Path

    def place(self, target: Path) -> None:
        """Put the executable at `target`, which must not exist. Raises OSError."""
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.path.name.endswith(".tar.gz"):
            _extract(self.path, target)
            return
        if os.access(self.path, os.X_OK):
            try:
                os.link(self.path.resolve(), target)  # hundreds of megabytes
            except OSError:
                pass  # another file system
            else:
                return
        shutil.copyfile(self.path, target)
        target.chmod(0o700)


def find(name: str, version: str, folder: Path | None) -> Official | None:
    """Search for `pulumi-resource-<name>`: the best one in `folder`, else this exact version of the user's plugins.

    The best one is this exact version, else the newest. The engine starts any plugin that it finds in the place of
    `version`, and warns of an older one.
    """
    if folder is not None and (found := _best(_in_folder(name, folder), version)) is not None:
        return found
    return next((plugin for plugin in _versioned(name, users_plugins()) if plugin.version == version), None)


def find_nearest(name: str, version: str) -> Official | None:
    """Search the user's plugins for the best one that is not too old, for when this version is not available."""
    return _best([own for own in _versioned(name, users_plugins()) if not too_old(name, own.version)], version)


def users_plugins() -> Path:
    """Return the plugin folder of the user's own Pulumi; it may not exist."""
    named = os.environ.get("PULUMI_HOME")
    if named and not (Path(named).parent / RECORD).exists():  # `usine lab env` sets it to a platform's folder
        return Path(named) / "plugins"
    return Path.home() / ".pulumi" / "plugins"


def _best(plugins: list[Official], version: str) -> Official | None:
    if len(plugins) > 1:  # asking for versions takes a second
        plugins = [plugin if plugin.version else replace(plugin, version=probe(plugin.path)) for plugin in plugins]
    return max(plugins, key=lambda plugin: (plugin.version == version, order(plugin.version)), default=None)


def _in_folder(name: str, folder: Path) -> list[Official]:
    executable = f"pulumi-resource-{name}"
    found = [Official(name, "", folder / executable)] if (folder / executable).is_file() else []
    found += _versioned(name, folder)
    for archive in sorted(folder.glob(f"{executable}-v*.tar.gz")):
        stated = re.fullmatch(rf"{executable}-v(\d.*)-(\w+)-(\w+)\.tar\.gz", archive.name)
        if stated and stated.group(2, 3) == _machine():
            found.append(Official(name, stated.group(1), archive))
    return found


def _versioned(name: str, folder: Path) -> Iterator[Official]:
    prefix = f"resource-{name}-v"
    for file in sorted(folder.glob(f"{prefix}*/pulumi-resource-{name}")):
        if file.is_file():
            yield Official(name, file.parent.name.removeprefix(prefix), file)


def _machine() -> tuple[str, str]:
    machine = platform.machine().lower()
    return sys.platform, {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _extract(archive: Path, target: Path) -> None:
    try:
        with tarfile.open(archive) as content:
            source = content.extractfile(target.name)
            if source is None:
                raise OSError(f"{archive} has no file {target.name}")
            with source, target.open("xb") as file:
                shutil.copyfileobj(source, file)
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise OSError(f"{archive} is not an archive with {target.name}: {error}") from None
    target.chmod(0o700)


def download(name: str, version: str, environment: Mapping[str, str]) -> str:
    """Download a plugin into PULUMI_HOME with `pulumi`. Return the reason of a failure, empty on success."""
    pulumi = shutil.which("pulumi", path=environment.get("PATH"))
    if pulumi is None:
        return "no `pulumi` on the PATH"
    with tempfile.TemporaryFile() as output:
        try:
            code = subprocess.run(
                [pulumi, "plugin", "install", "resource", name, version],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=DOWNLOAD_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return f"no answer within {DOWNLOAD_SECONDS:.0f} s"
        if code == 0:
            return ""
        output.seek(0)
        lines = output.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else f"`pulumi plugin install` ended with exit code {code}"
