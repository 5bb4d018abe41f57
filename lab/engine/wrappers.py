"""Executables that run a module of this checkout with this Python."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from lab.home import CHECKOUT

HOST = "pulumi-language-python"
HOST_MODULE = "lab.engine.language_host"


def write_wrapper(path: Path, module: str, *arguments: str) -> None:
    """Write an executable that runs `module` of this checkout with this Python; it passes its arguments on."""
    # No PYTHONPATH: the program would inherit it. -P: modules in the project's folder must not shadow the lab's.
    # The engine starts five of them at every run, so byte code is cached even if PYTHONDONTWRITEBYTECODE is set.
    code = (
        f"import runpy, sys; sys.dont_write_bytecode = False; sys.path.insert(0, {str(CHECKOUT)!r}); "
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    words = " ".join(shlex.quote(word) for word in (sys.executable, "-P", "-c", code, *arguments))
    write_executable(path, f'#!/bin/sh\nexec {words} "$@"\n')


def write_executable(path: Path, script: str) -> None:
    """Write a script that only its owner can read and run."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(script, encoding="utf-8")
    path.chmod(0o700)


def is_ours(folder: Path) -> bool:
    """Whether a folder is the `bin` of a local platform, of any checkout: its language host is such a wrapper."""
    try:
        with (folder / HOST).open("rb") as file:
            return HOST_MODULE.encode() in file.read(4096)
    except OSError:
        return False
