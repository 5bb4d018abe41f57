"""The files of a stack's run lock: one for each holder, `.usine/locks/<stack>/<number>.json` beside the state.

To take the lock, a run creates the next number; the storage lets only one run do that. The highest number stays after
its owner has released it, so no number is used twice, and the lock needs no compare-and-swap, which not every storage
has.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from usine.engine.cli import short_name
from usine.engine.owner import Owner, Process
from usine.engine.storage import Storage


@dataclass(frozen=True, slots=True)
class Record:
    """The content of a lock file. `heartbeat` is when it was last written (UTC), `engine` the owner's `pulumi`."""

    owner: Owner
    heartbeat: datetime.datetime
    engine: Process | None = None
    released: bool = False


_RECORD = TypeAdapter(Record)


@dataclass(frozen=True, slots=True)
class LockFiles:
    """The numbered files of one stack's lock."""

    storage: Storage
    stack: str

    def latest(self) -> tuple[int, Record | None]:
        """Return the highest number and its record.

        The number is 0 when nobody has held the lock yet. The record is None when the file cannot be read, which is
        also the case for a moment while it is being written.
        """
        number = max(self._numbers(), default=0)
        return number, self._read(number) if number else None

    def claim(self, number: int, record: Record) -> bool:
        """Become the owner with this number, one above the highest; return False when another run was first."""
        if not self.storage.create(_RECORD.dump_json(record), *self._path(number)):
            return False
        # Since `latest` was called, other runs may have used this number and removed its file.
        if max(self._numbers(), default=0) > number:
            self.storage.remove(*self._path(number))
            return False
        for old in self._numbers():
            if old < number:
                self.storage.remove(*self._path(old))
        return True

    def write(self, number: int, record: Record) -> None:
        """Replace the record of a number that this run holds."""
        self.storage.write(_RECORD.dump_json(record), *self._path(number))

    def _read(self, number: int) -> Record | None:
        try:
            return _RECORD.validate_json(self.storage.read(*self._path(number)) or b"")
        except ValidationError:
            return None

    def _numbers(self) -> list[int]:
        names = (name.removesuffix(".json") for name in self.storage.names(*self._folder))
        return [int(name) for name in names if name.isdecimal()]

    @property
    def _folder(self) -> tuple[str, ...]:
        # A full stack name is <organisation>/<project>/<stack>.
        return (".usine", "locks", short_name(self.stack))

    def _path(self, number: int) -> tuple[str, ...]:
        return (*self._folder, f"{number:08}.json")
