"""The order of the pipelines that run a stack: an older one never sets back what a later one has applied.

The id of the newest pipeline is in a file beside the state. It is read and written under the run lock of the stack, so
that of two pipelines that wait for the lock, the older one either runs first or not at all.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from usine.engine.cli import EngineError, short_name
from usine.engine.storage import Storage, storage_errors

#: The exit code of `usine up` if a later pipeline has run the stack.
OVERTAKEN: Final = 5


class LaterRunError(EngineError):
    """A later pipeline has run this stack, or has tried to."""


_errors: Final = partial(storage_errors, "the order of pipelines beside the state")


def is_later(known: str, run: str) -> bool:
    """Return whether `known` is the id of a later pipeline than `run`: GitLab's ids only grow."""
    return known.isdecimal() and run.isdecimal() and int(known) > int(run)


def refuse_older_run(storage: Storage, stack: str, run: str) -> None:
    """Note that the pipeline `run` runs the stack. The caller holds the lock.

    Raises LaterRunError if a later one has noted this, and EngineError if the storage does not answer.
    """
    path = (".usine", "order", f"{short_name(stack)}.txt")
    with _errors():
        known = (storage.read(*path) or b"").decode("ascii", errors="replace")
    if is_later(known, run):
        raise LaterRunError(f"the later pipeline {known} has run the stack {stack}: nothing was changed")
    with _errors():
        storage.write(run.encode("ascii"), *path)
