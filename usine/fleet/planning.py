"""Which stacks of a fleet need a run, and why. Pure functions of digests and records."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from model.units import is_shard, tenant_of
from model.waves import Pin
from usine.fleet.records import Inputs, Result, RunRecord

#: The reason for each digest that differs from that of the last run.
_CHANGED: Final = {
    "program": "the program changed",
    "settings": "the settings changed",
    "tenant": "its file changed",
    "foundation": "objects of the foundation were created again",
}
#: The same for the foundation, and for a shard.
_PEOPLE_CHANGED: Final = "the people of the tenants changed"
_FILES_CHANGED: Final = "files of its tenants changed"
_LONG_AGO: Final = datetime.datetime.min.replace(tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class FleetTask:
    """A stack that needs a run. `unit` None: the foundation. `removed`: none of its tenants has a file any more."""

    unit: str | None
    reasons: tuple[str, ...]
    inputs: Inputs
    removed: bool = False
    last: RunRecord | None = None

    @property
    def by_platform(self) -> bool:
        """Whether the platform's change is the only reason: the tenant files and its stack are as they were."""
        if self.last is None or self.removed:
            return False
        now, then = self.inputs, self.last.inputs
        return (now.tenant, now.foundation) == (then.tenant, then.foundation) and not self.last.carries(now)


@dataclass(frozen=True, slots=True)
class WaitingTask:
    """A stack that needs a run and must wait for it, and what it waits for. `blocked`: somebody has to correct it."""

    task: FleetTask
    why: str
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """The tasks of a run in their order, the stacks that must wait, and the number of stacks that need no run.

    `pinned` are the tenants that are pinned to a version, whether they need a run or not.
    """

    tasks: tuple[FleetTask, ...]
    unchanged: int
    waiting: tuple[WaitingTask, ...] = ()
    pinned: Mapping[str, Pin] = field(default_factory=dict)

    @property
    def later(self) -> tuple[WaitingTask, ...]:
        """The stacks that a later run runs, without a correction."""
        return tuple(one for one in self.waiting if not one.blocked)


def make_fleet_plan(
    inputs: Mapping[str | None, Inputs], runs: Mapping[str | None, RunRecord], *, every: bool = False
) -> FleetPlan:
    """Return the stacks that need a run: the foundation first, then those whose last run is the oldest.

    Args:
        inputs: the digests of each stack as it should be.
        runs: the last run of each stack. One with a run and without inputs has no tenant with a file any more.
        every: run all stacks, also those without a reason.
    """
    tasks = [
        FleetTask(unit, reasons or ("asked for",), wanted, last=runs.get(unit))
        for unit, wanted in inputs.items()
        if (reasons := tuple(reasons_of(unit, wanted, runs.get(unit)))) or every
    ]
    unchanged = len(inputs) - len(tasks)
    gone = [
        FleetTask(unit, (_gone(unit),), run.inputs, removed=True, last=run)
        for unit, run in runs.items()
        if unit is not None and unit not in inputs
    ]
    return FleetPlan(tuple(sorted([*tasks, *gone], key=_order)), unchanged)


def reasons_of(unit: str | None, wanted: Inputs, last: RunRecord | None) -> Iterator[str]:
    """Yield each reason to run a stack."""
    if last is None:
        yield "it has no run yet"
        return
    if last.result is not Result.APPLIED:
        yield f"its last run {last.result.words}"
    for one in fields(Inputs):
        if getattr(wanted, one.name) != getattr(last.inputs, one.name):
            yield _CHANGED[one.name] if one.name != "tenant" or tenant_of(unit) else _of_several(unit)
    if last.waits:
        yield "people had no account"


def _of_several(unit: str | None) -> str:
    return _PEOPLE_CHANGED if unit is None else _FILES_CHANGED


def _gone(unit: str) -> str:
    return "the files of its tenants are gone" if is_shard(unit) else "its file is gone"


def _order(task: FleetTask) -> tuple[bool, datetime.datetime, str]:
    return (task.unit is not None, _LONG_AGO if task.last is None else task.last.ended, task.unit or "")
