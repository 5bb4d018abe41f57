"""One run of the engine: start it, follow its event log, stop it in order."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pulumi_facts.urns import address_of
from usine.engine.cli import Engine
from usine.engine.events import Events, Failure, read_events
from usine.engine.lock import HeldLock
from usine.engine.redact import Redactor

_POLL_SECONDS = 0.2
#: Seconds to wait for the engine to acknowledge SIGINT.
_ACKNOWLEDGE_SECONDS = 2.0

#: Runs a command in its own process, with a watcher as its child. The watcher reads standard input, a pipe whose other
#: end only `usine` holds: it ends when `usine` closes it, or dies in whatever way. If the command still runs then, the
#: watcher sends it SIGINT. It is the command's own child, so it cannot take a reused process id for the command.
_WATCHED = """
import os, signal, sys
engine = os.getpid()
if os.fork():
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.execv(sys.argv[1], sys.argv[1:])
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
while os.read(0, 1):
    pass
if os.getppid() == engine:
    os.kill(engine, signal.SIGINT)
"""

#: Receives the number of objects planned so far, and of objects that are done.
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has ended: the engine's exit code and events. `interrupted`: somebody stopped it."""

    exit_code: int
    events: Events
    interrupted: bool = False


def run_engine(engine: Engine, lock: HeldLock, log: Path, on_progress: OnProgress, *arguments: str) -> Run:
    """Run `pulumi` with these arguments until it ends; its output is added to the file `log`.

    The engine stops in order when the lock is lost, at a KeyboardInterrupt, and when this process is killed: it
    finishes the operations that it has begun, and records them.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="usine-") as folder, log.open("a+", encoding="utf-8") as output:
        events = Path(folder) / "events.json"
        start = output.tell()
        command = engine.command(*arguments, "--color=never", "--event-log", str(events))
        process = subprocess.Popen(
            [sys.executable, "-ISc", _WATCHED, *command],
            cwd=engine.root,
            env=engine.variables,
            stdin=subprocess.PIPE,
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
        finally:
            assert process.stdin is not None  # noqa: S101 - for the type checker: it was asked for above
            process.stdin.close()
        redactor = Redactor.of(engine.environment)
        read = read_events(events, redactor)
        if process.returncode != 0 and not (read.failures or read.violations or interrupted or lock.lost):
            # No event has the reason, for example when the engine's own lock refuses the run.
            read = replace(read, failures=(Failure(None, redactor.text(_last_error(log, start))),))
        return Run(process.returncode, read, interrupted)


def _stop(process: subprocess.Popen[bytes], log: Path, start: int) -> None:
    """Send SIGINT unless the terminal has sent it already, and wait: a second one makes the engine stop at once."""
    deadline = time.monotonic() + _ACKNOWLEDGE_SECONDS
    while process.poll() is None and "received; cancelling" not in _output(log, start):
        if time.monotonic() > deadline:
            process.send_signal(signal.SIGINT)
            break
        time.sleep(_POLL_SECONDS)
    process.wait()


def _output(log: Path, start: int) -> str:
    with log.open("rb") as lines:
        lines.seek(start)
        return lines.read().decode("utf-8", "replace")


def _last_error(log: Path, start: int) -> str:
    errors = [line for line in _output(log, start).splitlines() if line.startswith("error: ")]
    return errors[-1].removeprefix("error: ") if errors else "the engine failed; its output has the reason"


def _watch(process: subprocess.Popen[bytes], lock: HeldLock, events: Path, on_progress: OnProgress) -> None:
    planned, done, position, stopped = 0, 0, 0, False
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
                        planned, done = planned + planning, done + (not planning)
            on_progress(planned, done)
        if ended:
            return
        if lock.lost and not stopped:
            process.send_signal(signal.SIGINT)
            stopped = True
        time.sleep(_POLL_SECONDS)


def _is_of_an_object(line: bytes) -> bool:
    """Return whether a raw event ends the step of an object; cheaper than parsing every event twice."""
    marker = b'"urn":"'
    if b'"resOutputsEvent"' not in line or (start := line.find(marker)) < 0:
        return False
    start += len(marker)
    return address_of(line[start : line.index(b'"', start)].decode()).is_object
