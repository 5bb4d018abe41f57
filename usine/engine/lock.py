"""The lock of a stack, with an owner: who runs, since when, from which commit; and what becomes of it when they die.

Pulumi locks a stack too, while its engine runs. This lock is around that: it also covers the checks before, the
preview, and the settling of what a killed run left; and it tells the dead from the living.
"""

from __future__ import annotations

import datetime
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from usine.engine.cli import Engine, EngineError
from usine.engine.owner import Job, Life, Owner, Process, job_has_ended, this_run
from usine.engine.ring import Record, Ring
from usine.engine.sources import commit_of
from usine.engine.storage import NoStorageError, state_storage


class LockHeldError(EngineError):
    """Somebody else holds the lock; the message says who, since when, and from which commit."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: between two signs of life, of silence after which an owner is dead, between two looks of who waits."""

    beat: float = 15
    silence: float = 300
    look: float = 1


class HeldLock:
    """A lock that is ours until `hold` ends. `predecessor` is the record of the dead owner it was taken from, if any.

    Without a ring (the state is where no file can be kept beside it) there is nothing to lose.
    """

    def __init__(self, owner: Owner, ring: Ring | None = None, number: int = 0, pace: Pace | None = None) -> None:
        """Take note of the claim; `start` begins to give signs of life."""
        self.owner = owner
        self.predecessor: Record | None = None
        self._ring = ring
        self._number = number
        self._pace = pace or Pace()
        self._record = Record(owner, _now())
        self._lost: str | None = None
        self._writing = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Give signs of life from now on."""
        if self._ring is not None:
            self._thread = threading.Thread(target=self._keep, args=(self._ring,), name="lock", daemon=True)
            self._thread.start()

    @property
    def lost(self) -> str | None:
        """Say why the lock is ours no more, so the engine must stop. None as long as it is ours."""
        return self._lost

    def note_engine(self, pid: int) -> None:
        """Note the engine's process: a successor leaves it alone for as long as it runs, even when we are gone."""
        self._write(engine=Process.of(pid))

    def release(self) -> None:
        """Give the lock back. Does nothing when it was lost."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self._ring is not None and self._lost is None and self._ring.latest()[0] == self._number:
            self._write(released=True)

    def _write(self, *, engine: Process | None = None, released: bool = False) -> None:
        if self._ring is None:
            return
        with self._writing:
            engine = engine or self._record.engine
            self._record = replace(self._record, heartbeat=_now(), engine=engine, released=released)
            self._ring.write(self._number, self._record)

    def _keep(self, ring: Ring) -> None:
        last = time.monotonic()
        while not self._ended.wait(self._pace.beat):
            try:
                number, record = ring.latest()
                if number != self._number:
                    if record is None and not self._ended.wait(self._pace.look):
                        record = ring.latest()[1]  # its successor was still writing it
                    self._lost = f"the lock was taken by {record.owner}" if record else "the lock was taken away"
                    return
                self._write()
                last = time.monotonic()
            except Exception as error:  # noqa: BLE001 - whatever a storage's driver raises: it may answer again
                # A successor takes us for dead soon: be gone by then.
                if time.monotonic() - last > self._pace.silence * 0.8:
                    self._lost = f"no sign of life could be left beside the state ({type(error).__name__})"
                    return


@contextmanager
def hold(
    engine: Engine, *, wait: datetime.timedelta = datetime.timedelta(), say: Callable[[str], None] = print
) -> Iterator[HeldLock]:
    """Hold the lock of the engine's stack.

    Args:
        engine: the stack.
        wait: how long to wait for a living owner before giving up.
        say: told in a line whom it waits for, and whose lock it took over.

    Raises LockHeldError when somebody alive holds it. Where no file can be kept beside the state it says so, and
    the engine's own lock is all there is.
    """
    free = unlocked(engine)
    try:
        storage = state_storage(engine.environment)
    except NoStorageError as error:
        say(f"no lock with an owner here, only the engine's own: {error}")
        yield free
        return
    lock = acquire(Ring(storage, engine.stack), free.owner, os.environ, wait=wait, say=say)
    try:
        yield lock
    finally:
        lock.release()


def unlocked(engine: Engine) -> HeldLock:
    """Return what stands for the lock where none is needed: for runs that write nothing."""
    # Who runs it is said by this process's environment, not by the engine's, which may be another platform's.
    return HeldLock(this_run(os.environ, commit_of(engine.root)))


def acquire(
    ring: Ring,
    owner: Owner,
    environment: Mapping[str, str],
    *,
    wait: datetime.timedelta,
    say: Callable[[str], None],
    pace: Pace | None = None,
) -> HeldLock:
    """Take the lock of a ring; see `hold`. Of many who take over from the same dead owner, one gets it."""
    pace = pace or Pace()
    deadline = time.monotonic() + wait.total_seconds()
    watched = _Watched(pace, environment)
    told = ""
    while True:
        number, record = ring.latest()
        why = watched.dead(number, record)
        if number == 0 or (record is not None and record.released) or why:
            holder = replace(owner, since=_now())  # who waited holds it only from now on
            lock = HeldLock(holder, ring, number + 1, pace)
            if not ring.claim(number + 1, Record(holder, holder.since)):
                continue
            lock.start()
            if why:
                lock.predecessor = record
                say(f"took over the lock of {record.owner if record else 'a run that left no name'}: {why}")
            return lock
        who = str(record.owner) if record else "a run that has left no name yet"
        if record and record.engine and record.owner.process.life is Life.GONE:
            who += f", whose engine (process {record.engine.pid}) still runs"
        if time.monotonic() >= deadline and not watched.in_doubt:
            raise LockHeldError(f"stack {ring.stack} is being worked on by {who}. Try again later, or wait: --wait 10m")
        if who != told:
            say(f"waiting for {who}")
            told = who
        time.sleep(pace.look)


class _Watched:
    """Judges an owner, also by what is seen of it over time: another machine's clock may be wrong, its beat is not."""

    def __init__(self, pace: Pace, environment: Mapping[str, str]) -> None:
        self._pace = pace
        self._environment = environment
        self._sign: tuple[int, object] = (0, None)
        self._since = time.monotonic()
        self._beats = False
        self._ask_again = 0.0
        #: The owner seems dead, and a little more watching will tell.
        self.in_doubt = False

    def dead(self, number: int, record: Record | None) -> str:
        """Return why the owner is dead; empty when it is not, or not yet known to be."""
        self.in_doubt = False
        sign = (number, record and record.heartbeat)
        if sign != self._sign:
            self._beats = number == self._sign[0]  # a sign of life that came while we looked
            self._sign, self._since = sign, time.monotonic()
        unchanged = time.monotonic() - self._since
        if number == 0 or (record is not None and record.released):
            return ""
        if record is None:
            # Unreadable: cut short while it was written, by a run that died, unless it is being written right now.
            self.in_doubt = unchanged <= 2 * self._pace.beat
            return "" if self.in_doubt else "its file cannot be read"
        if record.engine is not None and record.engine.life is Life.ALIVE:
            return ""
        match record.owner.process.life:
            case Life.ALIVE:
                return ""
            case Life.GONE:
                return "its process is gone"
        silent = (_now() - record.heartbeat).total_seconds()
        job = record.owner.job
        if job is not None and silent > 3 * self._pace.beat and self._ask_about(job):
            return "its job is over"
        if unchanged > self._pace.silence:
            return f"no sign of life for {round(unchanged)} seconds"
        if self._beats or silent <= self._pace.silence:
            return ""
        self.in_doubt = unchanged <= 2 * self._pace.beat
        return "" if self.in_doubt else f"no sign of life since {record.heartbeat:%Y-%m-%d %H:%M:%S} UTC"

    def _ask_about(self, job: Job) -> bool:
        if time.monotonic() < self._ask_again:
            return False
        self._ask_again = time.monotonic() + self._pace.beat
        return job_has_ended(job, self._environment)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
