"""Child processes of the language host. None outlives it, and none blocks its end."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

#: Seconds for a child to end after SIGTERM.
GRACE_SECONDS: Final = 2.0
#: Seconds to read output after a child ended: a grandchild may keep the pipe open without end.
DRAIN_SECONDS: Final = 1.0

Chunk = tuple[str, bytes]


class HostProcesses:
    """Starts and stops processes. They stay in the host's process group, because the engine kills by group."""

    def __init__(self) -> None:
        """Start without processes."""
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def run(self, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> int:
        """Run a process to its end and return its exit code. Its output is the host's; the engine shows it at once."""
        process = self._start(command, folder, environment, None)
        try:
            return process.wait()
        finally:
            self._forget(process)

    def stream(
        self, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], cancelled: threading.Event
    ) -> Iterator[Chunk | int]:
        """Yield ``("stdout" | "stderr", bytes)`` as output arrives, then the exit code.

        Cancelling stops the process.
        """
        process = self._start(command, folder, environment, subprocess.PIPE)
        chunks: queue.SimpleQueue[Chunk | None] = queue.SimpleQueue()
        readers = [
            threading.Thread(target=_read, args=(name, pipe, chunks), daemon=True)
            for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr))
            if pipe is not None
        ]
        for reader in readers:
            reader.start()
        threading.Thread(target=_after, args=(process, readers, chunks), daemon=True).start()
        threading.Thread(target=_stop_when, args=(cancelled, process), daemon=True).start()
        try:
            while (chunk := chunks.get()) is not None:
                yield chunk
            yield process.returncode
        finally:
            cancelled.set()
            self._forget(process)

    def stop(self) -> None:
        """Stop every process and refuse new ones."""
        with self._lock:
            self._closed = True
        self.interrupt()

    def interrupt(self) -> None:
        """Stop every running process."""
        with self._lock:
            running = list(self._running)
        for process in running:
            process.terminate()
        for process in running:
            _end(process)

    def _start(
        self, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], output: int | None
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise InterruptedError("the language host is stopping")
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                bufsize=0,
            )
            self._running.add(process)
            return process

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._running.discard(process)


def _read(name: str, pipe: IO[bytes], chunks: queue.SimpleQueue[Chunk | None]) -> None:
    with pipe:
        while data := pipe.read(65536):
            chunks.put((name, data))


def _after(
    process: subprocess.Popen[bytes], readers: Sequence[threading.Thread], chunks: queue.SimpleQueue[Chunk | None]
) -> None:
    process.wait()
    for reader in readers:
        reader.join(DRAIN_SECONDS)
    chunks.put(None)


def _stop_when(cancelled: threading.Event, process: subprocess.Popen[bytes]) -> None:
    cancelled.wait()
    if process.poll() is None:
        process.terminate()
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
