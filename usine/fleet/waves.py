"""Which tenants of a fleet must wait: those that are held, and those whose wave has not begun. Pure functions."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from model.texts import enumerate_words
from model.waves import FleetSettings, Hold, wave_of
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

    `pinned` are the tenants that keep a version: they do not wait for waves, and let no wave wait.
    """

    settings: FleetSettings
    inputs: Mapping[str | None, Inputs]
    runs: Mapping[str | None, RunRecord]
    scans: Mapping[str | None, ScanRecord]
    holds: Mapping[str, Hold]
    now: datetime.datetime
    pinned: Collection[str] = ()
    probes: Mapping[str | None, ProbeRecord] = field(default_factory=dict)

    def apply_to(self, plan: FleetPlan) -> FleetPlan:
        """Return the plan in which tenants that are held wait, and those that an earlier wave keeps waiting.

        Only the platform's changes come in waves: a tenant whose own file changed is run at once, and gets them early.
        """
        held = self.held
        blocker = self._unfinished()
        ready: list[FleetTask] = []
        waiting: list[WaitingTask] = []
        for task in plan.tasks:
            if task.slug is None or task.removed:
                ready.append(task)
            elif task.slug in held:
                hold = held[task.slug]
                waiting.append(WaitingTask(task, f"held until {hold.until}: {hold.reason}"))
            elif blocker is not None and self._in_waves(task) and wave_of(task.slug, self.settings.waves) > blocker[0]:
                waiting.append(WaitingTask(task, blocker[1]))
            else:
                ready.append(task)
        return replace(plan, tasks=tuple(ready), waiting=(*plan.waiting, *waiting))

    def _in_waves(self, task: FleetTask) -> bool:
        return task.by_platform and task.slug not in self.pinned

    @property
    def held(self) -> dict[str, Hold]:
        """The tenants that are held today."""
        return {slug: hold for slug, hold in self.holds.items() if hold.until >= self.now.date()}

    def to_scan(self) -> frozenset[str]:
        """Return the stacks whose drift scan the next wave waits for."""
        if not self.settings.scanned:
            return frozenset()
        blocked = self._unfinished()
        if blocked is None:
            return frozenset()
        return frozenset(
            slug for slug in self._members(blocked[0]) if self._carries(slug) and self._scan_of(slug) is None
        )

    def to_probe(self) -> Mapping[str, Probe]:
        """Return the probes that the next wave waits for, by tenant.

        Also those that have succeeded: a later pipeline may fail before the wave begins.
        """
        blocked = self._unfinished()
        name = None if blocked is None else self.settings.waves[blocked[0]].probe
        if blocked is None or name is None:
            return {}
        return {slug: Probe(name, self._applied(slug)) for slug in self._members(blocked[0]) if self._carries(slug)}

    def _unfinished(self) -> tuple[int, str] | None:
        """Return the first wave that is not finished, and what the waves after it wait for; None if all are."""
        for index in range(len(self.settings.waves)):
            if why := self._obstacle(self._members(index), self.settings.waves[index].probe):
                return index, f"wave {index + 1} comes first: {why}"
        return None

    def _members(self, index: int) -> list[str]:
        """Return the tenants of a wave. A new tenant has no earlier version, a held one waits, a pinned one stays."""
        held = self.held
        return sorted(
            slug
            for slug in self.inputs
            if slug is not None
            and slug in self.runs
            and slug not in held
            and slug not in self.pinned
            and wave_of(slug, self.settings.waves) == index
        )

    def _obstacle(self, members: list[str], probe: str | None) -> str:
        failed, behind, found, unseen = [], [], [], []
        last = datetime.datetime.min.replace(tzinfo=datetime.UTC)
        for slug in members:
            run = self.runs[slug]
            if not self._carries(slug):
                behind.append(slug)
            elif run.result is not Result.APPLIED:
                failed.append(slug)
            else:
                last = max(last, self._applied(slug))
                scan = self._scan_of(slug)
                if scan is None:
                    unseen.append(slug)
                elif scan.findings or not scan.complete:
                    found.append(slug)
        for what, slugs in (("the run was not applied", failed), ("to be run", behind)):
            if slugs:
                return f"{what}: {enumerate_words(slugs, _SHOWN)}"
        for what, slugs in (("drift, or an incomplete scan", found), ("no drift scan since its run", unseen)):
            if slugs and self.settings.scanned:
                return f"{what}: {enumerate_words(slugs, _SHOWN)}"
        if probe is not None and (why := self._probe_obstacle(members, probe)):
            return why
        begins = last + self.settings.soak if members else last
        return f"its changes have to last until {begins:%Y-%m-%d %H:%M} UTC" if begins > self.now else ""

    def _scan_of(self, slug: str) -> ScanRecord | None:
        """Return the last scan of a stack, if it is later than the first run of this version."""
        scan = self.scans.get(slug)
        return scan if scan is not None and scan.ended > self._applied(slug) else None

    def _probe_obstacle(self, members: list[str], repository: str) -> str:
        """Return why the probe of a wave has not succeeded in each of its tenants; empty if it has."""
        unknown = []
        for slug in members:
            probe = self.probes.get(slug)
            # One of the future would also count for later versions.
            if probe is None or probe.repository != repository or not self._applied(slug) < probe.created <= self.now:
                unknown.append(f"{slug}/{repository}")
            elif probe.result is not ProbeResult.SUCCESS:
                return f"pipeline {probe.pipeline} of {slug}/{repository} {probe.result.words}"
        return f"no finished pipeline since its run: {enumerate_words(unknown, _SHOWN)}" if unknown else ""

    def _carries(self, slug: str) -> bool:
        return self.runs[slug].carries(self.inputs[slug])

    def _applied(self, slug: str) -> datetime.datetime:
        """Return when this version was applied for the first time: a later run of it begins no new wait."""
        run = self.runs[slug]
        return run.since or run.ended
