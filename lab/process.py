"""Servers as detached processes: each starts in its own session; later commands find it and stop all its processes.

Each has a record in `home.run` with its pid and its start time as the kernel reports it, so a reused pid is not
mistaken for the server. It also has a marker variable in its environment. The marker finds a process that started just
before `usine lab up` was killed and has no record yet, and children that outlived their parent. All of it is read from
/proc, so the lab needs Linux.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab.errors import LabError
from lab.files import write_private
from lab.home import LabHome

#: The caller's variables that servers get. Others (tokens, KC_*, BAO_*, ...) could change how they run.
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "JAVA_HOME", "USER")
_MARK = "USINE_LAB_SERVER"
_LOG_LIMIT = 20_000_000
_POLL = 0.05
#: Processes that this process started. It must collect their exit codes, or they stay as zombies.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. `arguments` must contain no secret: every user of the machine can read them.

    `watched`: files whose change requires a restart (configuration, certificates).
    """

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: Path | None = None
    watched: Sequence[Path] = ()

    @property
    def fingerprint(self) -> str:
        """A hash that changes when the process must be restarted to match the command."""
        digest = hashlib.sha256(json.dumps(list(self.arguments)).encode())
        for path in self.watched:
            digest.update(path.read_bytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A started process: `started` in clock ticks since the boot `boot`; `log_start` is the log's size at its start."""

    pid: int
    started: int
    boot: str
    fingerprint: str
    log_start: int


@dataclass(frozen=True, slots=True)
class Running:
    """A live process: its pid and its age in seconds."""

    pid: int
    age: float
    fingerprint: str


def log_path(home: LabHome, name: str) -> Path:
    """Log file of a server."""
    return home.log / f"{name}.log"


def start(home: LabHome, name: str, command: Command) -> Running:
    """Start a detached process; its log gets both outputs. Raises LabError when it cannot be executed."""
    log = log_path(home, name)
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    environment = {key: os.environ[key] for key in _PASSED if key in os.environ}
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        log_start = os.fstat(output.fileno()).st_size
        try:
            process = subprocess.Popen(
                list(command.arguments),
                cwd=command.folder,
                env={**environment, **command.environment, _MARK: _mark(home, name)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise LabError(f"{name}: {command.arguments[0]} cannot be started: {error.strerror}") from None
    _children[process.pid] = process
    record = ProcessRecord(process.pid, _started(process.pid) or 0, _boot(), command.fingerprint, log_start)
    write_private(_record_path(home, name), json.dumps(asdict(record)) + "\n")
    return Running(process.pid, 0.0, record.fingerprint)


def running(home: LabHome, name: str) -> Running | None:
    """Return the live process of a server, if there is one."""
    record = _read(home, name)
    if record is None or not _is_ours(record):
        return None
    return Running(record.pid, _age(record.started), record.fingerprint)


def names(home: LabHome) -> tuple[str, ...]:
    """Return the servers with a record or a marked process, also those that this version does not know."""
    recorded = {path.stem for path in home.run.glob("*.json")}
    prefix = _mark(home, "")
    return tuple(sorted(recorded | {mark.removeprefix(prefix) for _, mark in _marked() if mark.startswith(prefix)}))


def stop(home: LabHome, name: str, patience: float = 20.0) -> bool:
    """Stop every process of a server: SIGTERM, and SIGKILL after `patience` seconds. True if there was one.

    Raises LabError when a process survives SIGKILL.
    """
    found = members(home, name)
    if found:
        _signal(found, signal.SIGTERM)
        if not _wait_gone(lambda: members(home, name), patience):
            _signal(members(home, name), signal.SIGKILL)
            if not _wait_gone(lambda: members(home, name), 10.0):
                left = ", ".join(map(str, members(home, name)))
                raise LabError(f"{name}: process {left} does not end, even when killed")
    _record_path(home, name).unlink(missing_ok=True)
    return bool(found)


def members(home: LabHome, name: str) -> list[int]:
    """Return the pids of a server: the recorded process with its group, and all that have its marker."""
    found = {pid for pid, mark in _marked() if mark == _mark(home, name)}
    record = _read(home, name)
    if record is not None and _is_ours(record):
        found.add(record.pid)
        found.update(pid for pid in _pids() if (stat := stat_of(pid)) and int(stat[2]) == record.pid and _alive(pid))
    return sorted(found)


def tail(home: LabHome, name: str, lines: int = 25) -> str:
    """Return the last lines of a server's log since its last start."""
    record = _read(home, name)
    try:
        with log_path(home, name).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            first = record.log_start if record and record.log_start <= size else 0
            file.seek(max(first, size - 64_000))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def _mark(home: LabHome, name: str) -> str:
    return f"{home.root}:{name}"


def _record_path(home: LabHome, name: str) -> Path:
    return home.run / f"{name}.json"


def _read(home: LabHome, name: str) -> ProcessRecord | None:
    try:
        return ProcessRecord(**json.loads(_record_path(home, name).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # missing or damaged: the marker finds the process


def _is_ours(record: ProcessRecord) -> bool:
    return record.boot == _boot() and _started(record.pid) == record.started and _alive(record.pid)


def _alive(pid: int) -> bool:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
        return False
    stat = stat_of(pid)
    return stat is not None and stat[0] not in {"Z", "X"}


def stat_of(pid: int) -> list[str] | None:
    """Return the fields of /proc/<pid>/stat after the name: [state, ppid, pgrp, ..., starttime at 19, ...].

    Processor time is at 11 (user) and 12 (system), in clock ticks. None if there is no such process.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()  # the name may contain spaces and brackets


def _started(pid: int) -> int | None:
    stat = stat_of(pid)
    return int(stat[19]) if stat else None


def _age(started: int) -> float:
    up = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    return max(0.0, up - started / os.sysconf("SC_CLK_TCK"))


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _marked() -> Iterator[tuple[int, str]]:
    return processes_with(_MARK)


def processes_with(name: str) -> Iterator[tuple[int, str]]:
    """Yield the live processes with this variable in their environment, each with the variable's value."""
    prefix = f"{name}=".encode()
    for pid in _pids():
        try:
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue  # ended, or another user's
        for variable in variables:
            if variable.startswith(prefix) and _alive(pid):
                yield pid, os.fsdecode(variable.removeprefix(prefix))


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _wait_gone(left: Callable[[], list[int]], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while left():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True
