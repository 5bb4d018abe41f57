"""Ports of the loopback interface: whether they are free, and which process uses them."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from lab.errors import LabError

LOOPBACK = "127.0.0.1"
_LISTEN = "0A"


def require_free(name: str, ports: Iterable[int]) -> None:
    """Raise LabError with every port in use, and with the process that uses it if that is known."""
    taken = [port for port in ports if not is_free(port)]
    if taken:
        lines = [f"port {port} is in use{_by(port)}" for port in taken]
        raise LabError(f"{name}: {'; '.join(lines)}")


def is_free(port: int) -> bool:
    """Whether a server can listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as servers do: recently closed connections do not count
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise LabError(f"port {port} of {LOOPBACK} cannot be used: {error.strerror}") from None
            return False
    return True


def holder(port: int) -> tuple[int, str] | None:
    """Return pid and command name of the process that listens there; None if there is none or it is not visible."""
    inodes = {f"socket:[{inode}]" for inode in _listening(port)}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # ended, or another user's
            if any(_target(link) in inodes for link in (folder / "fd").iterdir()):
                return int(folder.name), (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
    return None


def _target(link: Path) -> str | None:
    try:
        return os.readlink(link)
    except OSError:
        return None  # closed in the meantime


def _by(port: int) -> str:
    found = holder(port)
    return f" by process {found[0]} ({found[1]})" if found else " by a process of another user"


def _listening(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            if columns[3] == _LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                inodes.add(columns[9])
    return inodes
