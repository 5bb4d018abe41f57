"""One guarded `pulumi up`, watched: progress from the engine's event log, a report at the end."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from usine.engine.cli import Engine
from usine.engine.report import RunReport, read_report
from usine.engine.urns import address_of

_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run ended with: the engine's exit code, the report, and the file with the engine's own output."""

    exit_code: int
    report: RunReport
    log: Path


def up(engine: Engine, log: Path, on_progress: Callable[[int, int], None], extra: Sequence[str] = ()) -> Outcome:
    """Run `pulumi up` to its end, without stopping at the first failure.

    Args:
        engine: the stack.
        log: file that takes the engine's output.
        on_progress: called now and then with the number of objects planned so far, and of those settled.
        extra: more arguments for `pulumi up`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="usine-") as folder, log.open("w", encoding="utf-8") as output:
        events = Path(folder) / "events.json"
        # The preview is not skipped: it is what refuses the deletion of protected resources before anything is touched.
        arguments = ["up", "--yes", "--continue-on-error", "--suppress-outputs", "--color=never"]
        process = subprocess.Popen(
            engine.command(*arguments, "--event-log", str(events), *extra),
            cwd=engine.root,
            env=engine.variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _watch(process, events, on_progress)
        except KeyboardInterrupt:
            # The terminal sent the signal to the engine too: it finishes what is under way and notes it.
            process.wait()
            raise
        report = read_report(events) if events.exists() else RunReport()
        return Outcome(process.returncode, report, log)


def _watch(process: subprocess.Popen[bytes], events: Path, on_progress: Callable[[int, int], None]) -> None:
    planned, settled, position = 0, 0, 0
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
        time.sleep(_POLL_SECONDS)


def _is_of_an_object(line: bytes) -> bool:
    """Tell from a raw event whether it settles an object; cheaper than parsing every event twice."""
    marker = b'"urn":"'
    if b'"resOutputsEvent"' not in line or (start := line.find(marker)) < 0:
        return False
    start += len(marker)
    return address_of(line[start : line.index(b'"', start)].decode()).is_object
