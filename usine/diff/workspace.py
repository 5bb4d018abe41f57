"""A temporary folder for one run. The next run removes that of an interrupted run."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = ".lock"


@contextmanager
def workspace() -> Iterator[Path]:
    """Provide an empty folder that no other user can read, and remove it at the end."""
    home = _home()
    if home is None:
        with tempfile.TemporaryDirectory(prefix="usine-diff-") as own:
            yield Path(own)
        return
    _prune(home)
    name, lock = _lock(home)
    folder = home / name
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        (home / f"{name}{_LOCK}").unlink(missing_ok=True)
        os.close(lock)


def _home() -> Path | None:
    """Return the folder of this user's workspaces; None if another user has a file of that name."""
    home = Path(tempfile.gettempdir()) / f"usine-diff-{os.getuid()}"
    try:
        home.mkdir(mode=0o700, exist_ok=True)
        found = home.lstat()
    except OSError:
        return None
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return home if own else None


def _lock(home: Path) -> tuple[str, int]:
    """Take a free name and lock its lock file. The workspace is in use as long as the file is locked."""
    while True:
        name = secrets.token_hex(8)
        path = home / f"{name}{_LOCK}"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return name, descriptor
        except FileNotFoundError:  # another run removed it as a leftover before it was locked
            pass
        os.close(descriptor)


def _prune(home: Path) -> None:
    """Remove the workspaces that interrupted runs left: their lock files are no longer locked."""
    for path in home.glob(f"*{_LOCK}"):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # in use
        else:
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
