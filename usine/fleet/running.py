"""Runs a command of `usine` on many stacks, a few at a time."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from usine.report.as_json import ReportError, load
from usine.report.model import Report

_LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class FleetJob:
    """A command on the stack of one unit, with its settings file. `arguments` follow `usine`.

    The command writes its report to `report`, as JSON. `root` is the checkout whose program runs, None for that of the
    fleet; `python` is its interpreter.
    """

    unit: str | None
    arguments: Sequence[str]
    settings: Path
    report: Path
    log: Path
    root: Path | None = None
    python: str = sys.executable


@dataclass(frozen=True, slots=True)
class Done:
    """A job that ended. `report` is None if it wrote none; `reason` is then the last line of its output."""

    job: FleetJob
    exit_code: int
    seconds: float
    report: Report | None
    reason: str = ""


@dataclass
class Workers:
    """Runs jobs in processes of their own, `count` at a time, in the folder `root` with `environment`.

    Each job is a complete `usine` command with its own lock, guards and recovery, so that a fleet has no second way to
    run a stack. `stop` interrupts the running jobs as Ctrl-C does, and starts no other.
    """

    count: int
    root: Path
    environment: Mapping[str, str] = field(repr=False)
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _stopped: threading.Event = field(default_factory=threading.Event)
    #: A signal handler takes it while `stop` may have it already.
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def run(self, jobs: Iterable[FleetJob], go_on: Callable[[], bool] = lambda: True) -> Iterator[Done]:
        """Yield each job when it has ended. No job is started after `go_on` returns False."""
        waiting = iter(jobs)
        with ThreadPoolExecutor(self.count) as pool:
            pending: set[Future[Done | None]] = set()
            while True:
                while len(pending) < self.count and not self._stopped.is_set() and go_on():
                    job = next(waiting, None)
                    if job is None:
                        break
                    pending.add(pool.submit(self._one, job))
                if not pending:
                    return
                ended, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in ended:
                    done = future.result()
                    if done is not None:
                        yield done

    @property
    def stopped(self) -> bool:
        """Return whether the jobs were interrupted."""
        return self._stopped.is_set()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C and the end of a CI job (SIGTERM) stop the jobs in order, and keep what they have recorded."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for number in before:
                signal.signal(number, lambda _number, _frame: self.stop())
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """Interrupt the running jobs in order, and start no other."""
        with self._lock:
            self._stopped.set()
            for process in self._running:
                process.send_signal(signal.SIGINT)

    def _one(self, job: FleetJob) -> Done | None:
        job.log.parent.mkdir(parents=True, exist_ok=True)
        job.report.unlink(missing_ok=True)
        began = time.monotonic()
        # `-m` searches the current folder first; the processes of the engine search this path.
        path = {} if job.root is None else {"PYTHONPATH": str(job.root)}
        with job.log.open("wb") as log:
            with self._lock:
                if self._stopped.is_set():
                    return None
                process = subprocess.Popen(
                    [job.python, "-m", "usine", *job.arguments],
                    cwd=job.root or self.root,
                    env={**self.environment, **path},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C reaches this process only, which interrupts its jobs once.
                    start_new_session=True,
                )
                self._running.add(process)
            try:
                code = process.wait()
            finally:
                with self._lock:
                    self._running.discard(process)
        seconds = time.monotonic() - began
        report = read_report(job.report)
        return Done(job, code, seconds, report, "" if report else _last_line(job.log))


def read_report(path: Path) -> Report | None:
    """Return the report in a file; None if there is none."""
    try:
        return load(path.read_text(encoding="utf-8"))
    except (OSError, ReportError):
        return None


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].strip()[:_LONGEST_REASON] if lines else "it wrote nothing"
