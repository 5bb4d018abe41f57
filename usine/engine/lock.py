"""The run lock of a stack: one run at a time, from recovery to the report.

Two other locks do not do this. Pulumi's own lock (`.pulumi/locks`) is held while one command of the engine writes: not
during a preview, nor between a preview and the `up` that applies it, nor between the export and the import of a
recovery. It does not wait, it has no heartbeat, and the lock of a run that died stays until somebody runs
`pulumi cancel`. GitLab's `resource_group` orders the jobs of one GitLab project: it does not know a run on an
engineer's machine or in another project, nor an engine that outlives its job. So this lock records its owner with a
heartbeat, and decides when the owner is dead.
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
from usine.engine.lock_files import LockFiles, Record
from usine.engine.moving import refuse_unfinished_move
from usine.engine.owner import Job, Life, Owner, Process, job_has_ended, this_run
from usine.engine.sources import commit_of
from usine.engine.storage import NoStorageError, state_storage


class LockHeldError(EngineError):
    """Another run holds the lock; the message has its owner, since when, and the commit."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds: between two heartbeats, without a heartbeat until an owner is dead, between two checks."""

    heartbeat: float = 15
    silence: float = 300
    poll: float = 1


_PACE = Pace()


class HeldLock:
    """A lock that this run holds until `release`.

    `predecessor` is the record of the dead owner it was taken from, if any. `lost` is the reason when this run no
    longer holds it and must stop its engine. Without `files`, where no file can be kept beside the state, nothing can
    be lost.
    """

    def __init__(self, owner: Owner, files: LockFiles | None = None, number: int = 0, pace: Pace = _PACE) -> None:
        """Record the claim; `start` begins the heartbeat."""
        self.owner = owner
        self.predecessor: Record | None = None
        self.lost: str | None = None
        self._files = files
        self._number = number
        self._pace = pace
        self._record = Record(owner, _now())
        self._writing = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Write a heartbeat regularly from now on."""
        if self._files is not None:
            self._thread = threading.Thread(target=self._beat, args=(self._files,), name="lock", daemon=True)
            self._thread.start()

    def note_engine(self, pid: int) -> None:
        """Record the engine's process: the lock stays held as long as it runs, even if this process dies."""
        self._write(engine=Process.of(pid))

    def release(self) -> None:
        """Release the lock, unless it was lost."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self._files is not None and self.lost is None and self._files.latest()[0] == self._number:
            self._write(released=True)

    def _write(self, *, engine: Process | None = None, released: bool = False) -> None:
        if self._files is None:
            return
        with self._writing:
            engine = engine or self._record.engine
            self._record = replace(self._record, heartbeat=_now(), engine=engine, released=released)
            self._files.write(self._number, self._record)

    def _beat(self, files: LockFiles) -> None:
        last = time.monotonic()
        while not self._ended.wait(self._pace.heartbeat):
            try:
                number, record = files.latest()
                if number != self._number:
                    if record is None and not self._ended.wait(self._pace.poll):
                        record = files.latest()[1]  # the new owner was still writing it
                    self.lost = (
                        f"the lock was taken by {record.owner}" if record else "the lock was taken by another run"
                    )
                    return
                self._write()
                last = time.monotonic()
            except Exception as error:  # noqa: BLE001 - any error of a storage driver; the next try may succeed
                # Other runs will soon consider this one dead: it must stop before.
                if time.monotonic() - last > self._pace.silence * 0.8:
                    self.lost = f"no heartbeat could be written beside the state ({type(error).__name__})"
                    return


@contextmanager
def hold(
    engine: Engine,
    *,
    wait: datetime.timedelta = datetime.timedelta(),
    say: Callable[[str], None] = print,
    moving: bool = False,
) -> Iterator[HeldLock]:
    """Hold the lock of the engine's stack.

    Args:
        engine: the stack.
        wait: how long to wait for another run to end.
        say: receives one line for each run that this one waits for, and for a lock that it takes over.
        moving: the run moves the stack's objects, so that it continues an interrupted move.

    Raises LockHeldError when another run holds the lock and is alive, and EngineError while the stack's objects are
    being moved between stacks. Where no file can be kept beside the state, `say`
    receives a line about it, and only the engine's own lock protects the stack.
    """
    free = unlocked(engine)
    try:
        storage = state_storage(engine.environment)
    except NoStorageError as error:
        say(f"only the engine's own lock protects this stack: {error}")
        yield free
        return
    lock = acquire(LockFiles(storage, engine.stack), free.owner, os.environ, wait=wait, say=say)
    try:
        if not moving:
            # A move holds this lock while it writes its journal, so that the journal is read after the lock is taken.
            refuse_unfinished_move(storage, engine.stack)
        yield lock
    finally:
        lock.release()


def unlocked(engine: Engine) -> HeldLock:
    """Return a lock that locks nothing, for runs that write nothing."""
    # The owner is read from this process's environment: the engine's may be that of another platform.
    return HeldLock(this_run(os.environ, commit_of(engine.root)))


def acquire(
    files: LockFiles,
    owner: Owner,
    environment: Mapping[str, str],
    *,
    wait: datetime.timedelta,
    say: Callable[[str], None],
    pace: Pace = _PACE,
) -> HeldLock:
    """Take the lock; see `hold`. When several runs take over from the same dead owner, one of them gets it."""
    deadline = time.monotonic() + wait.total_seconds()
    watch = _Watch(pace, environment)
    waiting_for = ""
    while True:
        number, record = files.latest()
        why = watch.dead(number, record)
        if number == 0 or (record is not None and record.released) or why:
            holder = replace(owner, since=_now())  # a run that waited holds the lock only from now on
            lock = HeldLock(holder, files, number + 1, pace)
            if not files.claim(number + 1, Record(holder, holder.since)):
                continue
            lock.start()
            if why:
                lock.predecessor = record
                say(f"took over the lock of {record.owner if record else 'an unknown run'}: {why}")
            return lock
        who = str(record.owner) if record else "an unknown run"
        if record and record.engine and record.owner.process.life is Life.GONE:
            who += f", whose engine (process {record.engine.pid}) still runs"
        if time.monotonic() >= deadline and not watch.in_doubt:
            raise LockHeldError(f"stack {files.stack} is locked by {who}. Try again later, or wait: --wait 10m")
        if who != waiting_for:
            say(f"waiting for {who}")
            waiting_for = who
        time.sleep(pace.poll)


class _Watch:
    """Decides whether the owner is dead, from its record and from what this run sees of it over time.

    The clock of another machine may be wrong, so a heartbeat counts when it changes, not only by its time.
    """

    def __init__(self, pace: Pace, environment: Mapping[str, str]) -> None:
        self._pace = pace
        self._environment = environment
        self._last: tuple[int, object] = (0, None)
        self._since = time.monotonic()
        self._beats = False
        self._ask_again = 0.0
        #: The owner seems dead; a few more seconds of watching decide.
        self.in_doubt = False

    def dead(self, number: int, record: Record | None) -> str:
        """Return why the owner is dead; empty when it is alive, or when that is not known yet."""
        self.in_doubt = False
        seen = (number, record and record.heartbeat)
        if seen != self._last:
            self._beats = number == self._last[0]  # a heartbeat came while this run watched
            self._last, self._since = seen, time.monotonic()
        unchanged = time.monotonic() - self._since
        if number == 0 or (record is not None and record.released):
            return ""
        if record is None:
            # It is being written now, or the run that wrote it died.
            self.in_doubt = unchanged <= 2 * self._pace.heartbeat
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
        if job is not None and silent > 3 * self._pace.heartbeat and self._has_ended(job):
            return "its job has ended"
        if unchanged > self._pace.silence:
            return f"no heartbeat for {round(unchanged)} seconds"
        if self._beats or silent <= self._pace.silence:
            return ""
        self.in_doubt = unchanged <= 2 * self._pace.heartbeat
        return "" if self.in_doubt else f"no heartbeat since {record.heartbeat:%Y-%m-%d %H:%M:%S} UTC"

    def _has_ended(self, job: Job) -> bool:
        if time.monotonic() < self._ask_again:
            return False
        self._ask_again = time.monotonic() + self._pace.heartbeat
        return job_has_ended(job, self._environment)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
