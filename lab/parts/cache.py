"""The cache of parts, one folder each. A folder is complete or absent, also when several processes write."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from lab.errors import LabError
from lab.parts.part import Part
from lab.parts.processes import CancelledError

#: Seconds between two attempts to get a lock.
_POLL = 0.2


def default_root() -> Path:
    """Return USINE_CACHE, else `usine` in the user's cache folder."""
    if chosen := os.environ.get("USINE_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache").absolute() / "usine"


@dataclass(frozen=True, slots=True)
class Cache:
    """Parts by key under `root`, each with its `.lock` and `.partial` beside it and its log in `logs`."""

    root: Path

    def folder(self, part: Part) -> Path:
        """Return the part's folder, which may not exist yet."""
        return self.root / part.key

    def log(self, part: Part) -> Path:
        """Return the log of making the part."""
        return self.root / "logs" / f"{part.key}.log"

    def has(self, part: Part) -> bool:
        """Whether the part is there and complete."""
        folder = self.folder(part)
        return folder.is_dir() and not part.missing_from(folder)

    def prepare(self) -> None:
        """Create the cache's folders. Raises LabError."""
        try:
            (self.root / "logs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LabError(f"the cache {self.root} cannot be used: {error.strerror}; set USINE_CACHE") from None

    @contextmanager
    def locked(self, part: Part, *, waiting: Callable[[], None], cancelled: Event) -> Iterator[None]:
        """Hold the part's lock, against other processes and threads. `waiting` is called once if another one has it.

        The kernel frees the lock of a process that ends. Raises CancelledError when `cancelled` is set while waiting.
        """
        try:
            descriptor = os.open(self.root / f"{part.key}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LabError(f"the cache {self.root} cannot be used: {error.strerror}; set USINE_CACHE") from None
        try:
            reported = False
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not reported:
                        reported = True
                        waiting()
                if cancelled.wait(_POLL):
                    raise CancelledError("cancelled")
            yield
        finally:
            os.close(descriptor)

    def staging(self, part: Part) -> Path:
        """Return an empty folder in which to make the part, under its lock. Removes leftovers of a killed process."""
        folder = self.root / f"{part.key}.partial"
        remove(folder)
        folder.mkdir()
        return folder

    def install(self, part: Part, staged: Path) -> Path:
        """Move a staged folder to its place in one step, under its lock. Raises LabError if it is not complete."""
        if missing := part.missing_from(staged):
            raise LabError(f"{part.name} was made, but lacks {', '.join(missing)}")
        folder = self.folder(part)
        if folder.exists():  # it is not complete: files were removed
            remove(folder)
        staged.rename(folder)
        return folder


def remove(folder: Path) -> None:
    """Remove a folder if it is there, with read-only files (Go's module cache has them)."""
    if not folder.exists():
        return
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder)
