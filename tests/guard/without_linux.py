"""Runs a Python program, or `usine`, in a process where the product cannot use what only Linux has.

Usage: ``python without_linux.py usine check …`` or ``python without_linux.py -c PROGRAM``. The process ends with exit
code 97 when code of the product opens a file below ``/proc`` or looks up ``prctl``. Other packages find no ``/proc``,
as on macOS. psutil is let through: on Linux it reads ``/proc``, elsewhere it has other means.
"""

from __future__ import annotations

import errno
import os
import runpy
import sys
import sysconfig
from collections.abc import Iterator
from types import FrameType

_REFUSED = 97
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")
_FILES = ("open", "os.listdir", "os.scandir")


def _callers() -> Iterator[str]:
    """Yield the files of the callers, the innermost first, without the standard library and this file."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        standard = file.startswith("<") or (file.startswith(_STANDARD_LIBRARY) and "site-packages" not in file)
        if not standard and file != __file__:
            yield file
        frame = frame.f_back


def _refuse(what: str) -> None:
    caller = next(_callers(), "")
    if "/site-packages/psutil/" in caller:
        return
    if "/site-packages/" not in caller:
        os.write(2, f"{caller} uses {what}\n".encode())
        os._exit(_REFUSED)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), what)


def _is_proc(path: object) -> bool:
    return isinstance(path, str | bytes | os.PathLike) and (os.fsdecode(path) + "/").startswith("/proc/")


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event in _FILES and _is_proc(arguments[0]):
        _refuse(str(arguments[0]))
    if event == "ctypes.dlsym" and arguments[1] == "prctl":
        _refuse("prctl")


def main() -> None:
    """Run what the command line asks for."""
    read_link = os.readlink

    def checked(path: str, *, dir_fd: int | None = None) -> str:  # no event is raised for it
        if _is_proc(path):
            _refuse(path)
        return read_link(path, dir_fd=dir_fd)

    os.readlink = checked  # type: ignore[assignment]
    sys.path[0] = os.getcwd()
    sys.addaudithook(_hook)
    kind, *rest = sys.argv[1:]
    if kind == "-c":
        exec(rest[0], {"__name__": "__main__", "__file__": "program"})  # noqa: S102 - the test's own program
    else:
        sys.argv = [kind, *rest]
        runpy.run_module(kind, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
