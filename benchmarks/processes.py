"""Where processor time goes: the time of all processes below this one, by what they are. Read from /proc (Linux)."""

from __future__ import annotations

import os
import re
import threading
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lab import process

_INTERVAL: Final = 0.05
_TICKS: Final = os.sysconf("SC_CLK_TCK")
#: The first row whose pattern is in the command line.
_KINDS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("policy pack", r"-m pulumi\.policy"),
        ("program", r"pulumi-language-python-exec --monitor"),
        ("language host", r"lab\.engine\.language_host|pulumi-language-python"),
        ("plugins", r"lab\.plugins|pulumi-resource-|pulumi\.dynamic|pulumi-python-dynamic"),
        ("engine", r"(^|/)pulumi "),
        ("usine", r"-m usine "),
    )
)
OTHERS: Final = "others"
#: Of the first line of /proc/stat (proc_stat(5)): user, nice, system, interrupts, soft interrupts, stolen.
_BUSY: Final = (1, 2, 3, 6, 7, 8)


class Processes:
    """The processor time of the processes below this one while the block runs.

    A process is looked at twenty times a second, so that the last moment of each is not seen. Servers that this process
    started are below it, too: their kind is `OTHERS`.
    """

    def __init__(self) -> None:
        """Look at nothing yet."""
        #: Of the live processes below this one: the time before the block, the time until now, and the kind.
        self._before: dict[int, float] = {}
        self._times: dict[int, float] = {}
        self._kinds: dict[int, str] = {}
        self._foreign: set[int] = set()
        self._past: defaultdict[str, float] = defaultdict(float)
        self._began = 0.0
        #: The processor time of the whole machine while the block ran.
        self.machine = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._look()
        self._before = dict(self._times)
        self._began = _machine()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._ended.set()
        self._thread.join()
        self.machine = _machine() - self._began
        self._look()

    @property
    def seconds(self) -> dict[str, float]:
        """The processor time by kind."""
        found = self._past.copy()
        for pid, seconds in self._times.items():
            found[self._kinds[pid]] += seconds - self._before.get(pid, 0.0)
        return dict(found)

    def _follow(self) -> None:
        while not self._ended.wait(_INTERVAL):
            self._look()

    def _look(self) -> None:
        present = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        self._foreign &= present  # the kernel uses the numbers again
        for pid in self._times.keys() - present:
            self._past[self._kinds.pop(pid)] += self._times.pop(pid) - self._before.pop(pid, 0.0)
        stats = {pid: stat for pid in present - self._foreign if (stat := process.stat_of(pid))}
        new = stats.keys() - self._times.keys()
        while found := {pid for pid in new if int(stats[pid][1]) in {os.getpid(), *self._times}}:
            self._times |= dict.fromkeys(found, 0.0)
            new -= found
        self._foreign |= new
        for pid in self._times.keys() & stats.keys():
            self._times[pid] = (int(stats[pid][11]) + int(stats[pid][12])) / _TICKS
            words = _command(pid)
            # A process has the command line of its parent until it executes its own; a process that ends has none.
            if words or pid not in self._kinds:
                self._kinds[pid] = next((name for name, pattern in _KINDS if pattern.search(words)), OTHERS)


def _machine() -> float:
    """Return the processor time of the machine since its start."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split(maxsplit=11)
    return sum(int(fields[place]) for place in _BUSY) / _TICKS


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
