"""Executables of ours that become this Python running a module of this checkout."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from lab.home import CHECKOUT

HOST = "pulumi-language-python"
HOST_MODULE = "lab.engine.language_host"


def write_wrapper(path: Path, module: str, *arguments: str) -> None:
    """Write an executable that becomes this Python running `module` of this checkout; it adds its own arguments."""
    # No PYTHONPATH, which the program would inherit; -P, for modules in the project's folder would shadow ours.
    # The engine starts five of them at every run: compiled once, also where PYTHONDONTWRITEBYTECODE is set.
    code = (
        f"import runpy, sys; sys.dont_write_bytecode = False; sys.path.insert(0, {str(CHECKOUT)!r}); "
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    words = " ".join(shlex.quote(word) for word in (sys.executable, "-P", "-c", code, *arguments))
    write_executable(path, f'#!/bin/sh\nexec {words} "$@"\n')


def write_executable(path: Path, script: str) -> None:
    """Write a script only its owner can read and run."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(script, encoding="utf-8")
    path.chmod(0o700)


def is_ours(folder: Path) -> bool:
    """Tell whether a folder is the `bin` of a local platform, of any checkout: its language host is our wrapper."""
    try:
        with (folder / HOST).open("rb") as file:
            return HOST_MODULE.encode() in file.read(4096)
    except OSError:
        return False
