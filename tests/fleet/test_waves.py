"""Who waits: tenants that are held, and those whose wave has not begun."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

import pytest

from model.units import units_of
from model.waves import FleetSettings, Hold, Wave, wave_of
from usine.fleet.planning import FleetPlan, make_fleet_plan
from usine.fleet.records import Inputs, ProbeRecord, ProbeResult, Result, RunRecord, ScanRecord
from usine.fleet.waves import Probe, Rollout

NOW = datetime.datetime(2026, 11, 30, 9, tzinfo=datetime.UTC)
OLD, NEW = (Inputs(program, "settings", "file", "ids") for program in ("old", "new"))
HOUR = datetime.timedelta(hours=1)
WAVES = FleetSettings((Wave(("canary",)), Wave(("early", "other"))), scanned=False)


def run(inputs: Inputs = OLD, result: Result = Result.APPLIED, hours: int = 5, since: int | None = None) -> RunRecord:
    first = NOW - HOUR * (hours if since is None else since)
    return RunRecord(inputs, result, NOW - HOUR * hours, 12.5, since=first if result is Result.APPLIED else None)


def clean(hours: int = 1, findings: int = 0, *, complete: bool = True) -> ScanRecord:
    return ScanRecord(NOW - HOUR * hours, findings, complete)


def pipeline(result: ProbeResult = ProbeResult.SUCCESS, hours: int = 1, repository: str = "chain") -> ProbeRecord:
    return ProbeRecord(repository, 7, NOW - HOUR * hours, result)


def alone(inputs: Mapping[str | None, Inputs]) -> dict[str, tuple[str, ...]]:
    return units_of(filter(None, inputs), None)


def rollout(
    settings: FleetSettings = WAVES,
    runs: Mapping[str | None, RunRecord] | None = None,
    scans: Mapping[str | None, ScanRecord] | None = None,
    holds: Mapping[str, Hold] | None = None,
    inputs: Mapping[str | None, Inputs] | None = None,
    probes: Mapping[str | None, ProbeRecord] | None = None,
) -> tuple[Rollout, FleetPlan]:
    """A change of the program on the tenants canary, early, other and last."""
    wanted = {**dict.fromkeys(["canary", "early", "other", "last", None], NEW), **(inputs or {})}
    known = {**dict.fromkeys(wanted, run()), **(runs or {})}
    made = Rollout(settings, wanted, known, scans or {}, holds or {}, NOW, alone(wanted), probes=probes or {})
    return made, made.apply_to(make_fleet_plan(wanted, known))


def ready(plan: FleetPlan) -> set[str]:
    return {task.unit for task in plan.tasks if task.unit is not None}


def waits(plan: FleetPlan) -> dict[str | None, str]:
    return {one.task.unit: one.why for one in plan.waiting}


def test_without_waves_and_holds_no_tenant_waits() -> None:
    _, plan = rollout(FleetSettings())
    assert (ready(plan), plan.waiting) == ({"canary", "early", "other", "last"}, ())


def test_a_change_of_the_platform_reaches_the_first_wave_and_the_foundation() -> None:
    _, plan = rollout()
    assert [task.unit for task in plan.tasks] == [None, "canary"]
    assert waits(plan) == dict.fromkeys(["early", "other", "last"], "wave 1 comes first: to be run: canary")
    assert plan.unchanged == 0


def test_each_wave_begins_when_the_one_before_was_applied() -> None:
    _, plan = rollout(runs={"canary": run(NEW)})
    assert (ready(plan), waits(plan)) == ({"early", "other"}, {"last": "wave 2 comes first: to be run: early, other"})
    runs: dict[str | None, RunRecord] = dict.fromkeys(["canary", "early", "other"], run(NEW))
    _, plan = rollout(runs=runs)
    assert (ready(plan), waits(plan)) == ({"last"}, {})


@pytest.mark.parametrize("result", [Result.PARTIAL, Result.FAILED, Result.REFUSED, Result.INTERRUPTED])
def test_a_run_that_was_not_applied_stops_the_waves_and_is_repeated(result: Result) -> None:
    _, plan = rollout(runs={"canary": run(NEW, result)})
    assert ready(plan) == {"canary"}
    assert waits(plan)["last"] == "wave 1 comes first: the run was not applied: canary"


@pytest.mark.parametrize(
    ("scan", "why"),
    [
        (None, "no drift scan since its run"),
        (clean(hours=6), "no drift scan since its run"),
        (clean(findings=1), "drift, or an incomplete scan"),
        (clean(complete=False), "drift, or an incomplete scan"),
        (clean(), None),
    ],
)
def test_a_wave_waits_for_a_clean_scan_of_the_one_before(scan: ScanRecord | None, why: str | None) -> None:
    settings = dataclasses.replace(WAVES, scanned=True)
    scans: dict[str | None, ScanRecord] = {} if scan is None else {"canary": scan}
    made, plan = rollout(settings, {"canary": run(NEW)}, scans)
    if why is None:
        assert (ready(plan), made.to_scan()) == ({"early", "other"}, frozenset())
    else:
        assert (ready(plan), waits(plan)["early"]) == (set(), f"wave 1 comes first: {why}: canary")
        assert made.to_scan() == ({"canary"} if why.startswith("no ") else set()), "scanned before others"


@pytest.mark.parametrize(
    ("probe", "why"),
    [
        (None, "no finished pipeline since its run: canary/chain"),
        (pipeline(hours=5), "no finished pipeline since its run: canary/chain"),
        (pipeline(hours=-1), "no finished pipeline since its run: canary/chain"),
        (pipeline(repository="other"), "no finished pipeline since its run: canary/chain"),
        (pipeline(ProbeResult.FAILED), "pipeline 7 of canary/chain failed"),
        (pipeline(ProbeResult.CANCELED), "pipeline 7 of canary/chain was canceled"),
        (pipeline(ProbeResult.UNKNOWN), "pipeline 7 of canary/chain has no known result"),
        (pipeline(), None),
    ],
)
def test_a_wave_waits_for_a_successful_pipeline_of_the_one_before(probe: ProbeRecord | None, why: str | None) -> None:
    settings = FleetSettings((Wave(("canary",), probe="chain"), Wave(("early", "other"))), scanned=False)
    probes: dict[str | None, ProbeRecord] = {} if probe is None else {"canary": probe}
    made, plan = rollout(settings, {"canary": run(NEW)}, probes=probes)
    if why is None:
        assert (ready(plan), made.to_probe()) == ({"early", "other"}, {}), "the next wave has no probe"
    else:
        assert (ready(plan), waits(plan)["early"]) == (set(), f"wave 1 comes first: {why}")
        assert made.to_probe() == {"canary": Probe("chain", NOW - HOUR * 5)}


def test_a_probe_is_asked_for_from_the_first_run_of_the_version_until_the_next_wave_begins() -> None:
    settings = FleetSettings((Wave(("canary", "early"), probe="chain"),), soak=HOUR * 24, scanned=False)
    made, plan = rollout(settings)
    assert made.to_probe() == {}, "the change has not come there yet"
    runs: dict[str | None, RunRecord] = {"canary": run(NEW, since=9)}
    made, _ = rollout(settings, runs, probes={"canary": pipeline(hours=8)})
    assert made.to_probe() == {"canary": Probe("chain", NOW - HOUR * 9)}, "a later run of the version changes nothing"
    runs["early"] = run(NEW)
    made, plan = rollout(settings, runs, probes=dict.fromkeys(["canary", "early"], pipeline()))
    assert "have to last until" in waits(plan)["last"]
    assert set(made.to_probe()) == {"canary", "early"}, "a later pipeline may fail"


def test_a_wave_waits_until_the_changes_of_the_one_before_have_lasted() -> None:
    settings = dataclasses.replace(WAVES, soak=HOUR * 24)
    _, plan = rollout(settings, {"canary": run(NEW, hours=23)})
    assert waits(plan)["early"] == "wave 1 comes first: its changes have to last until 2026-11-30 10:00 UTC"
    _, plan = rollout(settings, {"canary": run(NEW, hours=2, since=25)})
    assert ready(plan) == {"early", "other"}, "a later run of the same version begins no new wait"


def test_a_tenant_s_own_change_does_not_wait() -> None:
    own: dict[str | None, Inputs] = {
        "last": dataclasses.replace(NEW, tenant="changed"),
        "early": dataclasses.replace(NEW, foundation="again"),
    }
    _, plan = rollout(inputs=own)
    assert (ready(plan), set(waits(plan))) == ({"canary", "early", "last"}, {"other"})


def test_a_new_tenant_and_a_removed_one_neither_wait_nor_let_others_wait() -> None:
    settings = FleetSettings((Wave(("canary", "new")),), scanned=False)
    inputs: dict[str | None, Inputs] = dict.fromkeys(["canary", "new", "last", None], NEW)
    runs: dict[str | None, RunRecord] = {"canary": run(NEW), "last": run(), "gone": run(), None: run(NEW)}
    plan = Rollout(settings, inputs, runs, {}, {}, NOW, alone(inputs)).apply_to(make_fleet_plan(inputs, runs))
    assert ready(plan) == {"new", "last", "gone"}


def test_a_held_tenant_waits_until_its_last_day() -> None:
    hold = Hold(NOW.date(), "The election is in January.")
    own: dict[str | None, Inputs] = {"last": dataclasses.replace(NEW, tenant="changed")}
    made, plan = rollout(FleetSettings(longest_hold=30), holds={"last": hold}, inputs=own)
    assert waits(plan) == {"last": "held until 2026-11-30: The election is in January."}
    assert made.held == {"last": hold}
    ended = dataclasses.replace(hold, until=NOW.date() - datetime.timedelta(days=1))
    made, plan = rollout(FleetSettings(longest_hold=30), holds={"last": ended}, inputs=own)
    assert (waits(plan), made.held) == ({}, {})


def test_a_wave_does_not_wait_for_a_tenant_that_is_held() -> None:
    hold = {"canary": Hold(NOW.date(), "The election is in January.")}
    _, plan = rollout(holds=hold)
    assert (ready(plan), set(waits(plan))) == ({"early", "other"}, {"canary", "last"})


def test_a_pinned_tenant_waits_for_no_wave_and_lets_none_wait() -> None:
    plans = []
    for pinned in ((), ("canary", "last")):
        made, _ = rollout()
        plan = make_fleet_plan(made.inputs, made.runs)
        plans.append(ready(dataclasses.replace(made, pinned=pinned).apply_to(plan)))
    assert plans == [{"canary"}, {"canary", "early", "other", "last"}]


def test_a_removed_tenant_is_not_held() -> None:
    runs: dict[str | None, RunRecord] = {"gone": run(), None: run(NEW)}
    hold = {"gone": Hold(NOW.date(), "The election is in January.")}
    plan = Rollout(WAVES, {None: NEW}, runs, {}, hold, NOW, {}).apply_to(make_fleet_plan({None: NEW}, runs))
    assert ready(plan) == {"gone"}


def test_the_wave_of_a_tenant_does_not_depend_on_other_tenants() -> None:
    waves = (Wave(("pilot",)), Wave(share=0.1), Wave(share=0.4))
    assert wave_of("pilot", ("pilot",), waves) == 0
    names = [f"tenant-{number}" for number in range(2000)]
    places = [wave_of(name, (name,), waves) for name in names]
    shares = [places.count(index) / len(places) for index in range(4)]
    assert shares == pytest.approx([0, 0.1, 0.4, 0.5], abs=0.03)
