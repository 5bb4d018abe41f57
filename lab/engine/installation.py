"""Installs a platform's engine: `pulumi`, its Python language host and its dynamic provider, in one folder."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lab.engine.wrappers import HOST, HOST_MODULE, is_ours, write_executable, write_wrapper
from lab.errors import LabError
from lab.home import LabHome
from lab.parts.official import official_pulumi

_EXECUTOR: Final = "pulumi-language-python-exec"
_DYNAMIC: Final = "pulumi-resource-pulumi-python"
_DYNAMIC_SDK: Final = "pulumi-python-dynamic"

# The engine starts it in the folder of `main`, but the option in the project file is relative to the project's folder.
_DYNAMIC_WRAPPER: Final = """\
#!/bin/sh
case ${{PULUMI_RUNTIME_VIRTUALENV:-/}} in
  /*) ;;
  *) root=$PWD
     while [ "$root" != / ] && [ ! -e "$root/Pulumi.yaml" ]; do root=$(dirname "$root"); done
     PULUMI_RUNTIME_VIRTUALENV=$root/$PULUMI_RUNTIME_VIRTUALENV; export PULUMI_RUNTIME_VIRTUALENV ;;
esac
exec {script} "$@"
"""


def official() -> Path | None:
    """Return the official `pulumi` on the PATH with its language host; None if there is none or only the lab's."""
    found = official_pulumi()
    return None if found is None or is_ours(found.parent) else found


def install(home: LabHome, parts: Mapping[str, Path]) -> None:
    """Fill `home.bin` from the parts "pulumi" and "pulumi-python"; remove them if an official engine is used.

    Raises LabError when a part lacks a file.
    """
    home.bin.mkdir(mode=0o700, parents=True, exist_ok=True)
    _without_logs(home.pulumi_home)
    for name in ("pulumi", HOST, _EXECUTOR, _DYNAMIC, _DYNAMIC_SDK):
        (home.bin / name).unlink(missing_ok=True)
    if official() is not None:
        return
    # Not a symbolic link: `pulumi` resolves it to find its language host, and warns of any other host.
    _place(_part(parts, "pulumi", "pulumi"), home.bin / "pulumi")
    _place(_part(parts, "pulumi-python", _EXECUTOR), home.bin / _EXECUTOR, copy=True)
    _place(_part(parts, "pulumi-python", _DYNAMIC), home.bin / _DYNAMIC_SDK, copy=True)
    dynamic = _DYNAMIC_WRAPPER.format(script=shlex.quote(str(home.bin / _DYNAMIC_SDK)))
    write_executable(home.bin / _DYNAMIC, dynamic)
    write_wrapper(home.bin / HOST, HOST_MODULE, str(home.bin / _EXECUTOR))


def _without_logs(pulumi_home: Path) -> None:
    """Put a file where the engine would create its folder of logs: it continues without them.

    Since Pulumi's pull request 23731 (2026-06-30) it writes all properties of all objects into a compressed, encrypted
    log, which takes 45 % of its processor time. No setting turns that off (`StartLogging` in pkg/logging/encrypted.go).
    """
    pulumi_home.mkdir(mode=0o700, parents=True, exist_ok=True)
    logs = pulumi_home / "logs"
    if logs.is_dir():
        shutil.rmtree(logs)
    logs.touch()


def _part(parts: Mapping[str, Path], part: str, name: str) -> Path:
    folder = parts.get(part)
    if folder is None or not (folder / name).is_file():
        raise LabError(f"the part {part!r} has no `{name}`: `usine lab reset` and `usine lab up` obtain it again")
    return folder / name


def _place(source: Path, target: Path, *, copy: bool = False) -> None:
    try:
        if copy:
            raise OSError  # noqa: TRY301 - modules of Go's cache are not executable, and shared
        os.link(source.resolve(), target)  # 115 MB
    except OSError:
        shutil.copyfile(source, target)
        target.chmod(0o700)
