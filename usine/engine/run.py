"""One run of the engine, watched: progress and results come from its event log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from usine.engine.cli import Engine
from usine.engine.events import Events, Failure, read_events
from usine.engine.lock import HeldLock
from usine.engine.redact import Redactor
from usine.engine.urns import address_of

_POLL_SECONDS = 0.2
#: How long an interrupted engine may take to say that it has heard.
_HEARS_SECONDS = 2.0

#: Runs a command in its own place, with PR_SET_PDEATHSIG (1) set to SIGINT; see prctl(2).
_SHIM = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGINT)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""

#: Told now and then how many objects are planned so far, and how many of those are settled.
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Run:
    """A run that ended: the engine's exit code and events. `interrupted` says that somebody stopped it."""

    exit_code: int
    events: Events
    interrupted: bool = False


def run_engine(engine: Engine, lock: HeldLock, log: Path, on_progress: OnProgress, *arguments: str) -> Run:
    """Run `pulumi` with these arguments to its end; its output is added to the file `log`.

    It is stopped, in order, when the lock is lost and at a KeyboardInterrupt: what is under way is finished and noted.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="usine-") as folder, log.open("a+", encoding="utf-8") as output:
        events = Path(folder) / "events.json"
        start = output.tell()
        process = subprocess.Popen(
            _ending_with_us(engine.command(*arguments, "--color=never", "--event-log", str(events))),
            cwd=engine.root,
            env=engine.variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        interrupted = False
        try:
            lock.note_engine(process.pid)
            _watch(process, lock, events, on_progress)
        except KeyboardInterrupt:
            interrupted = True
            _stop(process, log, start)
        except BaseException:
            _stop(process, log, start)
            raise
        redactor = Redactor.of(engine.environment)
        read = read_events(events, redactor)
        if process.returncode != 0 and not (read.failures or read.violations or interrupted or lock.lost):
            # No event says why: refused by another run's lock, say.
            read = replace(read, failures=(Failure(None, redactor.text(_last_error(log, start))),))
        return Run(process.returncode, read, interrupted)


def _ending_with_us(command: list[str]) -> list[str]:
    """Have the engine asked to stop by the kernel when this process is killed.

    Otherwise it would go on, unseen from another machine, while a successor there takes this run for dead. Linux only.
    """
    if sys.platform != "linux":
        return command
    return [sys.executable, "-ISc", _SHIM, str(os.getpid()), *command]


def _stop(process: subprocess.Popen[bytes], log: Path, start: int) -> None:
    """Ask the engine to stop, and wait. A terminal has asked it too; to be asked twice would mean: drop everything."""
    deadline = time.monotonic() + _HEARS_SECONDS
    while process.poll() is None and "received; cancelling" not in _said(log, start):
        if time.monotonic() > deadline:
            process.send_signal(signal.SIGINT)
            break
        time.sleep(_POLL_SECONDS)
    process.wait()


def _said(log: Path, start: int) -> str:
    with log.open("rb") as lines:
        lines.seek(start)
        return lines.read().decode("utf-8", "replace")


def _last_error(log: Path, start: int) -> str:
    errors = [line for line in _said(log, start).splitlines() if line.startswith("error: ")]
    return errors[-1].removeprefix("error: ") if errors else "the engine failed; its output says why"


def _watch(process: subprocess.Popen[bytes], lock: HeldLock, events: Path, on_progress: OnProgress) -> None:
    planned, settled, position, stopped = 0, 0, 0, False
    while True:
        ended = process.poll() is not None
        if events.exists():
            with events.open("rb") as lines:
                lines.seek(position)
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    position += len(line)
                    if _is_of_an_object(line):
                        planning = b'"planning":true' in line
                        planned, settled = planned + planning, settled + (not planning)
            on_progress(planned, settled)
        if ended:
            return
        if lock.lost and not stopped:
            process.send_signal(signal.SIGINT)
            stopped = True
        time.sleep(_POLL_SECONDS)


def _is_of_an_object(line: bytes) -> bool:
    """Tell from a raw event whether it settles an object; cheaper than parsing every event twice."""
    marker = b'"urn":"'
    if b'"resOutputsEvent"' not in line or (start := line.find(marker)) < 0:
        return False
    start += len(marker)
    return address_of(line[start : line.index(b'"', start)].decode()).is_object
