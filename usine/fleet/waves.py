"""Which stacks of a fleet must wait: those that are held, and those whose wave has not begun. Pure functions."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from model.texts import enumerate_words
from model.waves import FleetSettings, Hold, Wave, wave_of
from usine.fleet.planning import FleetPlan, FleetTask, WaitingTask
from usine.fleet.records import Inputs, ProbeRecord, ProbeResult, Result, RunRecord, ScanRecord

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Probe:
    """A repository of a tenant whose pipelines after `after` show whether a change of the platform works."""

    repository: str
    after: datetime.datetime


@dataclass(frozen=True, slots=True)
class Rollout:
    """How far the platform's change has come: `inputs` as they should be, the last runs, scans, probes, and holds.

    All are by unit, `probes` by tenant. `pinned` are the units that keep a version: they do not wait for waves, and let
    no wave wait. `tenants` are those of each unit. No shard is held or pinned.
    """

    settings: FleetSettings
    inputs: Mapping[str | None, Inputs]
    runs: Mapping[str | None, RunRecord]
    scans: Mapping[str | None, ScanRecord]
    holds: Mapping[str, Hold]
    now: datetime.datetime
    tenants: Mapping[str, Collection[str]]
    pinned: Collection[str] = ()
    probes: Mapping[str | None, ProbeRecord] = field(default_factory=dict)

    def apply_to(self, plan: FleetPlan) -> FleetPlan:
        """Return the plan in which stacks that are held wait, and those that an earlier wave keeps waiting.

        Only the platform's changes come in waves: a stack with a changed tenant file is run at once, and gets them
        early.
        """
        held = self.held
        blocker = self._unfinished()
        ready: list[FleetTask] = []
        waiting: list[WaitingTask] = []
        for task in plan.tasks:
            if task.unit is None or task.removed:
                ready.append(task)
            elif task.unit in held:
                hold = held[task.unit]
                waiting.append(WaitingTask(task, f"held until {hold.until}: {hold.reason}"))
            elif blocker is not None and self._in_waves(task) and self._wave_of(task.unit) > blocker[0]:
                waiting.append(WaitingTask(task, blocker[1]))
            else:
                ready.append(task)
        return replace(plan, tasks=tuple(ready), waiting=(*plan.waiting, *waiting))

    def _in_waves(self, task: FleetTask) -> bool:
        return task.by_platform and task.unit not in self.pinned

    @property
    def held(self) -> dict[str, Hold]:
        """The units that are held today."""
        return {unit: hold for unit, hold in self.holds.items() if hold.until >= self.now.date()}

    def to_scan(self) -> frozenset[str]:
        """Return the stacks whose drift scan the next wave waits for."""
        if not self.settings.scanned:
            return frozenset()
        blocked = self._unfinished()
        if blocked is None:
            return frozenset()
        return frozenset(
            unit for unit in self._members(blocked[0]) if self._carries(unit) and self._scan_of(unit) is None
        )

    def to_probe(self) -> Mapping[str, Probe]:
        """Return the probes that the next wave waits for, by tenant.

        Also those that have succeeded: a later pipeline may fail before the wave begins.
        """
        blocked = self._unfinished()
        wave = None if blocked is None else self.settings.waves[blocked[0]]
        if blocked is None or wave is None or wave.probe is None:
            return {}
        return {
            slug: Probe(wave.probe, self._applied(unit))
            for unit in self._members(blocked[0])
            if self._carries(unit)
            for slug in self._probed(unit, wave)
        }

    def _probed(self, unit: str, wave: Wave) -> list[str]:
        """Return the tenants of a unit in which a wave's probe runs: those that the wave names."""
        return [slug for slug in self.tenants[unit] if slug in wave.tenants]

    def _wave_of(self, unit: str) -> int:
        return wave_of(unit, self.tenants[unit], self.settings.waves)

    def _unfinished(self) -> tuple[int, str] | None:
        """Return the first wave that is not finished, and what the waves after it wait for; None if all are."""
        for index in range(len(self.settings.waves)):
            if why := self._obstacle(self._members(index), self.settings.waves[index]):
                return index, f"wave {index + 1} comes first: {why}"
        return None

    def _members(self, index: int) -> list[str]:
        """Return the units of a wave. A new one has no earlier version, a held one waits, a pinned one stays."""
        held = self.held
        return sorted(
            unit
            for unit in self.inputs
            if unit is not None
            and unit in self.runs
            and unit not in held
            and unit not in self.pinned
            and self._wave_of(unit) == index
        )

    def _obstacle(self, members: list[str], wave: Wave) -> str:
        failed, behind, found, unseen = [], [], [], []
        last = datetime.datetime.min.replace(tzinfo=datetime.UTC)
        for unit in members:
            run = self.runs[unit]
            if not self._carries(unit):
                behind.append(unit)
            elif run.result is not Result.APPLIED:
                failed.append(unit)
            else:
                last = max(last, self._applied(unit))
                scan = self._scan_of(unit)
                if scan is None:
                    unseen.append(unit)
                elif scan.findings or not scan.complete:
                    found.append(unit)
        for what, units in (("the run was not applied", failed), ("to be run", behind)):
            if units:
                return f"{what}: {enumerate_words(units, _SHOWN)}"
        for what, units in (("drift, or an incomplete scan", found), ("no drift scan since its run", unseen)):
            if units and self.settings.scanned:
                return f"{what}: {enumerate_words(units, _SHOWN)}"
        if why := self._probe_obstacle(members, wave):
            return why
        begins = last + self.settings.soak if members else last
        return f"its changes have to last until {begins:%Y-%m-%d %H:%M} UTC" if begins > self.now else ""

    def _scan_of(self, unit: str) -> ScanRecord | None:
        """Return the last scan of a stack, if it is later than the first run of this version."""
        scan = self.scans.get(unit)
        return scan if scan is not None and scan.ended > self._applied(unit) else None

    def _probe_obstacle(self, members: list[str], wave: Wave) -> str:
        """Return why the probe of a wave has not succeeded in each of its tenants; empty if nothing waits for it."""
        if wave.probe is None:
            return ""
        unknown = []
        for unit, slug in ((one, slug) for one in members for slug in self._probed(one, wave)):
            probe = self.probes.get(slug)
            # One of the future would also count for later versions.
            if probe is None or probe.repository != wave.probe or not self._applied(unit) < probe.created <= self.now:
                unknown.append(f"{slug}/{wave.probe}")
            elif probe.result is not ProbeResult.SUCCESS:
                return f"pipeline {probe.pipeline} of {slug}/{wave.probe} {probe.result.words}"
        return f"no finished pipeline since its run: {enumerate_words(unknown, _SHOWN)}" if unknown else ""

    def _carries(self, unit: str) -> bool:
        return self.runs[unit].carries(self.inputs[unit])

    def _applied(self, unit: str) -> datetime.datetime:
        """Return when this version was applied for the first time: a later run of it begins no new wait."""
        run = self.runs[unit]
        return run.since or run.ended
