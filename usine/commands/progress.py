"""The progress of a run of the engine, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from usine.engine.run import OnProgress


@contextmanager
def watched(console: Console) -> Iterator[OnProgress]:
    """Yield a function that shows the engine's progress: as a bar on a terminal, not at all elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("planning", total=None)
        planned = 0

        def on_progress(now_planned: int, done: int) -> None:
            # Preview and `up` are two runs of the engine: the second one uses the number that the first one planned.
            nonlocal planned
            planned = max(planned, now_planned)
            if done:
                progress.update(task, description="applying", total=planned or None, completed=done)
            else:
                progress.update(task, completed=planned)

        yield on_progress
