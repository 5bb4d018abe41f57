"""Which stacks of a fleet need a run, and why. Pure functions of digests and records."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from model.waves import Pin
from usine.fleet.records import Inputs, Result, RunRecord

#: The reason for each digest that differs from that of the last run.
_CHANGED: Final = {
    "program": "the program changed",
    "settings": "the settings changed",
    "tenant": "its file changed",
    "foundation": "objects of the foundation were created again",
}
#: The same for the foundation.
_PEOPLE_CHANGED: Final = "the people of the tenants changed"
_LONG_AGO: Final = datetime.datetime.min.replace(tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class FleetTask:
    """A stack that needs a run. `slug` None: the foundation. `removed`: the tenant has no file any more."""

    slug: str | None
    reasons: tuple[str, ...]
    inputs: Inputs
    removed: bool = False
    last: RunRecord | None = None

    @property
    def by_platform(self) -> bool:
        """Whether the platform's change is the only reason: the tenant's file and its stack are as they were."""
        if self.last is None or self.removed:
            return False
        now, then = self.inputs, self.last.inputs
        return (now.tenant, now.foundation) == (then.tenant, then.foundation) and not self.last.carries(now)


@dataclass(frozen=True, slots=True)
class WaitingTask:
    """A tenant that needs a run and must wait for it, and what it waits for. `blocked`: somebody has to correct it."""

    task: FleetTask
    why: str
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """The tasks of a run in their order, the tenants that must wait, and the number of stacks that need no run.

    `pinned` are the tenants that are pinned to a version, whether they need a run or not.
    """

    tasks: tuple[FleetTask, ...]
    unchanged: int
    waiting: tuple[WaitingTask, ...] = ()
    pinned: Mapping[str, Pin] = field(default_factory=dict)

    @property
    def later(self) -> tuple[WaitingTask, ...]:
        """The tenants that a later run runs, without a correction."""
        return tuple(one for one in self.waiting if not one.blocked)


def make_fleet_plan(
    inputs: Mapping[str | None, Inputs], runs: Mapping[str | None, RunRecord], *, every: bool = False
) -> FleetPlan:
    """Return the stacks that need a run: the foundation first, then the tenants whose last run is the oldest.

    Args:
        inputs: the digests of each stack as it should be.
        runs: the last run of each stack. A tenant with a run and without inputs was removed.
        every: run all stacks, also those without a reason.
    """
    tasks = [
        FleetTask(slug, reasons or ("asked for",), wanted, last=runs.get(slug))
        for slug, wanted in inputs.items()
        if (reasons := tuple(reasons_of(slug, wanted, runs.get(slug)))) or every
    ]
    unchanged = len(inputs) - len(tasks)
    gone = [
        FleetTask(slug, ("its file is gone",), run.inputs, removed=True, last=run)
        for slug, run in runs.items()
        if slug is not None and slug not in inputs
    ]
    return FleetPlan(tuple(sorted([*tasks, *gone], key=_order)), unchanged)


def reasons_of(slug: str | None, wanted: Inputs, last: RunRecord | None) -> Iterator[str]:
    """Yield each reason to run a stack."""
    if last is None:
        yield "it has no run yet"
        return
    if last.result is not Result.APPLIED:
        yield f"its last run {last.result.words}"
    for one in fields(Inputs):
        if getattr(wanted, one.name) != getattr(last.inputs, one.name):
            yield _PEOPLE_CHANGED if slug is None and one.name == "tenant" else _CHANGED[one.name]
    if last.waits:
        yield "people had no account"


def _order(task: FleetTask) -> tuple[bool, datetime.datetime, str]:
    return (task.slug is not None, _LONG_AGO if task.last is None else task.last.ended, task.slug or "")
