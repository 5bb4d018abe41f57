"""The limits on removals over all stacks of a fleet. Each stack has the same guard on its own plan."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from model.settings import Settings
from pulumi_facts.data_bearing import superseded
from pulumi_facts.generations import generation_of
from usine.fleet.planning import FleetTask
from usine.fleet.records import Records, RunRecord, removed_at
from usine.report.ids import NoticeId
from usine.report.model import Action, Entry, Notice, Severity
from usine.rules.mass_removal import TENANT, Removal, mass_removals

#: How long the removals of a run count for other runs.
WINDOW: Final = datetime.timedelta(hours=1)


def active_tenants(runs: Mapping[str | None, RunRecord]) -> frozenset[str]:
    """Return the tenants with objects in the stacks of these runs, except archived ones."""
    return frozenset(slug for unit, run in runs.items() if unit is not None for slug in run.active(unit))


def leaving_tenants(tasks: Iterable[FleetTask], active: Collection[str]) -> frozenset[str]:
    """Return the tenants that these tasks archive or remove; `active` have a file, and are not archived."""
    return active_tenants({task.unit: task.last for task in tasks if task.last is not None}).difference(active)


def tenant_removals(
    leaving: Collection[str], existing: int, settings: Settings, allowed: Mapping[str, int]
) -> tuple[Notice, ...]:
    """Return the refusal of a run that archives or removes too many tenants; empty if it may begin.

    `leaving` are the tenants that this run archives or removes, `existing` is the number of active ones.
    """
    refusals = mass_removals({TENANT: len(leaving)}, {TENANT: existing}, settings.changes.mass_removal, allowed)
    return tuple(
        Notice(
            NoticeId.MASS_REMOVAL,
            Severity.ERROR,
            refusal.text,
            remedy=f"if it is intended: --allow-removals {refusal.kind}={refusal.removed}",
        )
        for refusal in refusals
    )


def too_many_removed(exceeded: Iterable[Removal]) -> tuple[Notice, ...]:
    """Return the warnings that no other stack was begun after these removals."""
    return tuple(
        Notice(
            NoticeId.FLEET,
            Severity.WARNING,
            f"no other stack was begun: {removal.removed} objects of type {removal.kind} were removed",
            remedy=f"if it is intended: --allow-removals {removal.kind}=N, with the number of the whole fleet",
        )
        for removal in exceeded
    )


@dataclass
class RemovalCount:
    """Counts what the stacks of a run have removed, so that a wrong change stops after a few stacks.

    A plan of each stack is far below the limit on its own. Objects of tenants that leave do not count, nor do those of
    a credential generation that the settings no longer list. Several jobs of one run share their counts through
    `shared`.
    """

    settings: Settings
    allowed: Mapping[str, int]
    leaving: Collection[str]
    shared: SharedRemovals | None = None
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, unit: str | None, entries: Iterable[Entry]) -> None:
        """Count the entries of the report of one stack. Raises EngineError if they cannot be shared."""
        counted = Counter(
            entry.type
            for entry in entries
            if entry.action in {Action.DESTROYED, Action.REPLACED}
            and entry.tenant not in self.leaving
            and not superseded(entry.type, entry.name)
            and not self._withdrawn(entry)
        )
        self.counts.update(counted)
        if self.shared is not None and counted:
            self.shared.add(unit, counted)

    def read(self) -> None:
        """Read what the other jobs of this run have removed so far. Raises EngineError."""
        if self.shared is not None:
            self.counts = self.shared.total()

    @property
    def exceeded(self) -> tuple[Removal, ...]:
        """The kinds of which too many objects were removed."""
        return mass_removals(self.counts, {}, self.settings.changes.mass_removal, self.allowed)

    def _withdrawn(self, entry: Entry) -> bool:
        generation = generation_of(entry.type, entry.name, "")
        listed = {credential.name for credential in self.settings.generations_of(entry.tenant)}
        return bool(listed) and generation is not None and generation not in listed


@dataclass
class SharedRemovals:
    """What all jobs of one run of the fleet have removed, in the records, and those of other runs in the last hour.

    Pipelines run at the same time, and a schedule starts one after the other: each of them would have a limit of its
    own. Each file is read once.
    """

    records: Records
    run: str
    known: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    #: Runs whose removals were all too old when this one looked first: such a run has ended.
    _past: set[str] = field(default_factory=set)

    def add(self, unit: str | None, counted: Mapping[str, int]) -> None:
        """Record what the run of a stack removed. Raises EngineError."""
        self.records.write_removals(self.run, unit, counted)

    def total(self) -> Counter[str]:
        """Return the sum. Raises EngineError, also for a file that cannot be read: it may have any number."""
        since = datetime.datetime.now(datetime.UTC) - WINDOW
        found: set[tuple[str, str]] = set()
        for run in {self.run, *self.records.removal_runs()} - self._past:
            names = [name for name in self.records.removal_names(run) if run == self.run or removed_at(name) > since]
            if not names and run != self.run:
                self._past.add(run)
            found.update((run, name) for name in names)
        for run, name in found - self.known.keys():
            self.known[run, name] = Counter(self.records.removals(run, name))
        return sum((self.known[one] for one in found), Counter())
