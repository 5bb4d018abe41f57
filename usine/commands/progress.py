"""The progress of a run of the engine, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from usine.engine.run import OnProgress


@contextmanager
def watched(console: Console) -> Iterator[OnProgress]:
    """Give what takes the engine's progress: a bar on a terminal, nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("planning", total=None)
        planned = 0

        def on_progress(now_planned: int, settled: int) -> None:
            # Preview and application are runs of their own: the second knows how much the first has planned.
            nonlocal planned
            planned = max(planned, now_planned)
            if settled:
                progress.update(task, description="applying", total=planned or None, completed=settled)
            else:
                progress.update(task, completed=planned)

        yield on_progress
