"""Child processes of a build. A log file gets their output, and an interrupt kills the whole process tree."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import LabError

#: Lines of a failed command's output in the error message.
TAIL = 15
#: Seconds for a child to end after SIGTERM.
_GRACE = 5.0


class CancelledError(LabError):
    """The work was cancelled, because another part failed or the user interrupted."""


@dataclass(slots=True)
class Children:
    """The running child processes, so that one call can end them all."""

    cancelled: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: set[subprocess.Popen[str]] = field(default_factory=set)

    def spawn(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], stderr: int | None
    ) -> subprocess.Popen[str]:
        """Start a child in its own process group. Raises CancelledError after `cancel`."""
        with self._lock:  # so that `cancel` sees each child that was started
            self.check()
            child = subprocess.Popen(
                list(command),
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            self._running.add(child)
            return child

    def forget(self, child: subprocess.Popen[str]) -> None:
        """Remove a child that ended."""
        with self._lock:
            self._running.discard(child)

    def check(self) -> None:
        """Raise CancelledError after `cancel`."""
        if self.cancelled.is_set():
            raise CancelledError("cancelled")

    def cancel(self) -> None:
        """End every child and its descendants, and refuse new ones. Idempotent."""
        with self._lock:
            self.cancelled.set()
            running = list(self._running)
        for child in running:
            _signal(child, signal.SIGTERM)
        for child in running:
            with suppress(subprocess.TimeoutExpired):
                child.wait(_GRACE)
            _signal(child, signal.SIGKILL)  # its remaining descendants


def _signal(child: subprocess.Popen[str], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


@dataclass(frozen=True, slots=True)
class CommandRunner:
    """Runs the commands of one part one after the other, with one log."""

    children: Children
    log: Path
    #: Called with progress texts.
    progress: Callable[[str], None]
    #: Folders of finished parts, by name.
    parts: Mapping[str, Path] = field(default_factory=dict)

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        describe: Callable[[str], str | None] = lambda _line: None,
    ) -> None:
        """Run a command; `describe` turns a line of its output into a progress text or None.

        Raises LabError with the end of the output and the log's path when it fails.
        """
        self._run(command, cwd, env, None, describe)

    def output(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> str:
        """Run a command and return its standard output; the log gets standard error. Raises as `run` does."""
        lines: list[str] = []
        self._run(command, cwd, env, lines, lambda _line: None)
        return "".join(lines)

    def _run(
        self,
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str] | None,
        collected: list[str] | None,
        describe: Callable[[str], str | None],
    ) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            stderr = subprocess.STDOUT if collected is None else log.fileno()
            try:
                child = self.children.spawn(command, cwd=cwd, env={**os.environ, **(env or {})}, stderr=stderr)
            except OSError as error:
                raise LabError(f"{command[0]} cannot be run: {error.strerror or error}") from None
            try:
                assert child.stdout is not None  # noqa: S101 - opened as a pipe
                for line in child.stdout:
                    if collected is not None:
                        collected.append(line)
                    else:
                        log.write(line)
                        log.flush()
                        if progress := describe(line.rstrip()):
                            self.progress(progress)
                code = child.wait()
            finally:
                self.children.forget(child)
            self.children.check()
            if code != 0:
                if collected is not None:  # the reason of a failure may be on standard output
                    log.writelines(collected)
                log.write(f"exit code {code}\n")
                log.flush()
                raise self.failure(f"`{' '.join(command[:3])} ...` ended with exit code {code}")

    def failure(self, why: str) -> LabError:
        """Return an error with the end of the log and the log's path."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        tail = "".join(f"\n    {line}" for line in lines[-TAIL:])
        return LabError(f"{why}{tail}\n  whole log: {self.log}")
