"""Reports progress to the user while the local platform is downloaded, built and started.

A task has a key (`keycloak`), starts, may report progress, and succeeds or fails. On a terminal each running task has
one live line; elsewhere (CI, a file) every event is a line with the time, and only some progress is printed.
"""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

#: Seconds between two printed lines of progress of the same task (`Lines`).
_QUIET = 20.0


class Reporter(Protocol):
    """Receives events. Every method may be called from any thread and accepts unknown keys."""

    def start(self, key: str, message: str) -> None:
        """A task starts."""

    def progress(self, key: str, message: str) -> None:
        """A task's progress; replaces the earlier text."""

    def done(self, key: str, message: str) -> None:
        """A task succeeded. Prints the time since its start, if it had one."""

    def failed(self, key: str, message: str) -> None:
        """A task failed. `text` is one line; the details are in the exception."""

    def note(self, message: str) -> None:
        """A message that belongs to no task."""


class _Clock:
    """Start times of running tasks, by key."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    def start(self, key: str) -> None:
        self._started[key] = time.monotonic()

    def so_far(self, key: str) -> str:
        """Return ` (12 s so far)`, or an empty text if the task had no start."""
        started = self._started.get(key)
        return "" if started is None else f" ({duration(time.monotonic() - started)} so far)"

    def stop(self, key: str) -> str:
        """Forget a task and return ` (12.3 s)`, or an empty text if it had no start."""
        started = self._started.pop(key, None)
        return "" if started is None else f" ({duration(time.monotonic() - started)})"


def duration(seconds: float) -> str:
    """Return a text such as `0.4 s`, `47 s`, `3 min 05 s`."""
    if seconds < 10:  # noqa: PLR2004 - a decimal only below ten seconds
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


class Silent:
    """Prints nothing: for callers that need only the result."""

    def start(self, key: str, message: str) -> None:
        """Ignored."""

    def progress(self, key: str, message: str) -> None:
        """Ignored."""

    def done(self, key: str, message: str) -> None:
        """Ignored."""

    def failed(self, key: str, message: str) -> None:
        """Ignored."""

    def note(self, message: str) -> None:
        """Ignored."""


class Lines:
    """One line with the time for each event. It is a context manager so that it can replace `LiveLines`."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to `stream`, by default to standard error."""
        self._stream = stream
        self._lock = threading.Lock()
        self._clock = _Clock()
        self._last_progress: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Do nothing."""

    def _line(self, text: str) -> None:
        stream = self._stream or sys.stderr
        stream.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        stream.flush()

    def start(self, key: str, message: str) -> None:
        """See `Reporter`."""
        with self._lock:
            self._clock.start(key)
            self._last_progress[key] = time.monotonic()
            self._line(f"{key}: {message}")

    def progress(self, key: str, message: str) -> None:
        """See `Reporter`; at most one line every 20 seconds."""
        with self._lock:
            now = time.monotonic()
            if now - self._last_progress.get(key, 0.0) >= _QUIET:
                self._last_progress[key] = now
                self._line(f"{key}: {message}{self._clock.so_far(key)}")

    def done(self, key: str, message: str) -> None:
        """See `Reporter`."""
        with self._lock:
            self._line(f"{key}: {message}{self._clock.stop(key)}")

    def failed(self, key: str, message: str) -> None:
        """See `Reporter`."""
        with self._lock:
            self._line(f"{key}: FAILED: {message}{self._clock.stop(key)}")

    def note(self, message: str) -> None:
        """See `Reporter`."""
        with self._lock:
            self._line(message)


class LiveLines:
    """A live line for each running task, a fixed line for each that ended. Use it as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        """Draw on `console`, by default the terminal of standard error."""
        self._console = console or Console(stderr=True, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.fields[key]:<15}[/]"),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
        )
        self._lock = threading.Lock()
        self._clock = _Clock()
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop drawing and restore the terminal."""
        self._progress.stop()

    def start(self, key: str, message: str) -> None:
        """See `Reporter`."""
        with self._lock:
            self._clock.start(key)
            self._tasks[key] = self._progress.add_task(message, total=None, key=key)

    def progress(self, key: str, message: str) -> None:
        """See `Reporter`."""
        with self._lock:
            if key in self._tasks:
                self._progress.update(self._tasks[key], description=message)

    def _end(self, key: str, mark: str, style: str, message: str) -> None:
        with self._lock:
            if key in self._tasks:
                self._progress.remove_task(self._tasks.pop(key))
            text = f"{mark} {key:<15} {message}{self._clock.stop(key)}"
            self._progress.console.print(text, style=style, markup=False, soft_wrap=True)

    def done(self, key: str, message: str) -> None:
        """See `Reporter`."""
        self._end(key, "✓", "green", message)

    def failed(self, key: str, message: str) -> None:
        """See `Reporter`."""
        self._end(key, "✗", "red", message)

    def note(self, message: str) -> None:
        """See `Reporter`."""
        self._progress.console.print(message, markup=False, soft_wrap=True)


def for_terminal() -> LiveLines | Lines:
    """Return `LiveLines` if standard error is a terminal, else `Lines`: `with for_terminal() as reporter:`."""
    console = Console(stderr=True, highlight=False)
    return LiveLines(console) if console.is_terminal and not console.is_dumb_terminal else Lines()
