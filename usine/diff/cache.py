"""A cache of plans, by the content of everything that they are made from. Losing it costs time only."""

from __future__ import annotations

import gzip
import os
import tempfile
from pathlib import Path

from usine.plan.model import Plan
from usine.plan.reading import load_plan

_SUFFIX = ".json.gz"
#: Limit of the folder in bytes, compressed. The plan of one tenant takes about ten thousand.
MOST_BYTES = 256 * 1024**2
#: The result is nearly as small as at the default level, and takes a third of the time.
_LEVEL = 3


def cache_folder() -> Path:
    """Return the folder of the cache: `usine/plans` in the user's cache folder (XDG_CACHE_HOME, else ``~/.cache``)."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(named) if Path(named).is_absolute() else Path.home() / ".cache"
    return home / "usine" / "plans"


class PlanCache:
    """Plans by key. A folder that cannot be used or a broken file counts as an empty cache."""

    def __init__(self, folder: Path | None, most_bytes: int = MOST_BYTES) -> None:
        """Use a folder, which is created when it is needed. With None, nothing is kept."""
        self._folder = folder
        self._most = most_bytes

    def get(self, key: str) -> Plan | None:
        """Return the plan of a key, or None."""
        if self._folder is None:
            return None
        path = self._folder / f"{key}{_SUFFIX}"
        try:
            plan = load_plan(gzip.decompress(path.read_bytes()))
            os.utime(path)  # the least recently used plans are removed first
        except (OSError, EOFError, ValueError):
            return None
        return plan

    def put(self, key: str, text: bytes) -> None:
        """Keep the text of a plan. A reader sees the whole file or none."""
        if self._folder is None:
            return
        temporary = ""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".new")
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(gzip.compress(text, compresslevel=_LEVEL, mtime=0))
            os.replace(temporary, self._folder / f"{key}{_SUFFIX}")
            self._bound()
        except OSError:
            if temporary:
                Path(temporary).unlink(missing_ok=True)

    def _bound(self) -> None:
        """Remove the least recently used plans beyond the limit, and files that interrupted runs left."""
        assert self._folder is not None  # noqa: S101 - only called by `put`
        found = []
        for path in self._folder.iterdir():
            try:
                status = path.stat()
            except OSError:
                continue  # another run removed it
            found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._most:
                return
            path.unlink(missing_ok=True)
            total -= size
