"""The files of a stack's lock: one per holder, numbered, beside the state in `.usine/locks/<stack>/<number>.json`.

Whoever wants the lock creates the next number, which storage lets exactly one of them do. The highest number stays
when its owner has released it, so no number is used twice: nothing has to be compared and swapped, and nothing cleaned
up, before the lock can be taken.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from usine.engine.owner import Owner, Process
from usine.engine.storage import Storage


@dataclass(frozen=True, slots=True)
class Record:
    """What a lock's file holds. `heartbeat` is the last sign of life (UTC), `engine` the `pulumi` the owner started."""

    owner: Owner
    heartbeat: datetime.datetime
    engine: Process | None = None
    released: bool = False


_RECORD = TypeAdapter(Record)


@dataclass(frozen=True, slots=True)
class Ring:
    """The numbered files of one stack's lock."""

    storage: Storage
    stack: str

    def latest(self) -> tuple[int, Record | None]:
        """Return the highest number and its record: 0 where nobody ever held the lock, None where it is unreadable.

        A file that is being written may be unreadable for a moment.
        """
        number = max(self._numbers(), default=0)
        return number, self._read(number) if number else None

    def claim(self, number: int, record: Record) -> bool:
        """Become the owner with this number, which is one above the highest seen; False when somebody else did."""
        if not self.storage.create(_RECORD.dump_json(record), *self._path(number)):
            return False
        # Seen long ago, the number may have been used and cleaned up since.
        if max(self._numbers(), default=0) > number:
            self.storage.remove(*self._path(number))
            return False
        for old in self._numbers():
            if old < number:
                self.storage.remove(*self._path(old))
        return True

    def write(self, number: int, record: Record) -> None:
        """Write our own record again."""
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
        # A full name is <organisation>/<project>/<stack>.
        return (".usine", "locks", self.stack.rsplit("/", 1)[-1])

    def _path(self, number: int) -> tuple[str, ...]:
        return (*self._folder, f"{number:08}.json")
