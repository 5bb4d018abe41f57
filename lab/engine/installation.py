"""Puts the engine of a platform together: `pulumi`, its Python language host and its dynamic provider in one folder."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.home import CHECKOUT, LabHome

_HOST: Final = "pulumi-language-python"
_EXECUTOR: Final = "pulumi-language-python-exec"
_DYNAMIC: Final = "pulumi-resource-pulumi-python"
_DYNAMIC_SDK: Final = "pulumi-python-dynamic"

# The engine starts it in the folder of `main` with the option as the project file has it, relative to another folder.
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


def official(path: str | None = None, *, without: Path | None = None) -> Path | None:
    """Return the folder of the `pulumi` on the PATH when its own language host is beside it; None when there is none.

    `without` is a folder not to look in: our own.
    """
    folders = (path if path is not None else os.environ.get("PATH", "")).split(os.pathsep)
    kept = [folder for folder in folders if folder and (without is None or Path(folder).resolve() != without.resolve())]
    found = shutil.which("pulumi", path=os.pathsep.join(kept))
    if found is None:
        return None
    for folder in (Path(found).parent, Path(found).resolve().parent):  # it may be a link into an installation
        if os.access(folder / _HOST, os.X_OK):
            return folder
    return None


def install(home: LabHome, parts: Mapping[str, Path]) -> None:
    """Fill `home.bin` from the parts "pulumi" and "pulumi-python"; empty it of ours where an official one is used.

    Raises LabError when a part lacks what it should hold.
    """
    home.bin.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("pulumi", _HOST, _EXECUTOR, _DYNAMIC, _DYNAMIC_SDK):
        (home.bin / name).unlink(missing_ok=True)
    if official(without=home.bin) is not None:
        return
    # Not a symbolic link: `pulumi` looks for its host beside the file a link leads to, and warns of any other.
    _place(_part(parts, "pulumi", "pulumi"), home.bin / "pulumi")
    _place(_part(parts, "pulumi-python", _EXECUTOR), home.bin / _EXECUTOR, copy=True)
    _place(_part(parts, "pulumi-python", _DYNAMIC), home.bin / _DYNAMIC_SDK, copy=True)
    dynamic = _DYNAMIC_WRAPPER.format(script=shlex.quote(str(home.bin / _DYNAMIC_SDK)))
    _write_executable(home.bin / _DYNAMIC, dynamic)
    write_wrapper(home.bin / _HOST, "lab.engine.language_host", str(home.bin / _EXECUTOR))


def write_wrapper(path: Path, module: str, *arguments: str) -> None:
    """Write an executable that becomes this Python running `module` of this checkout; it adds its own arguments."""
    # No PYTHONPATH, which the program would inherit; -P, for modules in the project's folder would shadow ours.
    code = (
        f"import runpy, sys; sys.path.insert(0, {str(CHECKOUT)!r}); "
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    words = " ".join(shlex.quote(word) for word in (sys.executable, "-P", "-c", code, *arguments))
    _write_executable(path, f'#!/bin/sh\nexec {words} "$@"\n')


def _write_executable(path: Path, script: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(script, encoding="utf-8")
    path.chmod(0o700)


def _part(parts: Mapping[str, Path], part: str, name: str) -> Path:
    folder = parts.get(part)
    if folder is None or not (folder / name).is_file():
        raise LabError(f"the part {part!r} has no `{name}`: `usine lab reset` and `usine lab up` fetch it again")
    return folder / name


def _place(source: Path, target: Path, *, copy: bool = False) -> None:
    try:
        if copy:
            raise OSError  # noqa: TRY301 - modules of Go's cache are not executable, and shared
        os.link(source.resolve(), target)  # 115 MB
    except OSError:
        shutil.copyfile(source, target)
        target.chmod(0o700)
