"""Which stacks need a run, in which order, and how many may remove something."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import bench_fleet_plan
from tests import factories
from usine.engine.cli import EngineError
from usine.engine.storage import Storage, state_storage
from usine.fleet.planning import make_fleet_plan
from usine.fleet.records import Inputs, Records, Result, RunRecord, ScanRecord, digest_of, digest_of_ids
from usine.fleet.removals import RemovalCount, tenant_removals
from usine.report.model import Action, Entry

NOW = datetime.datetime(2026, 11, 30, 9, tzinfo=datetime.UTC)
SAME = Inputs("program", "settings", "file", "ids")


def run(inputs: Inputs = SAME, result: Result = Result.APPLIED, age: int = 0, *, waits: bool = False) -> RunRecord:
    return RunRecord(inputs, result, NOW - datetime.timedelta(days=age), 12.5, waits=waits)


def reasons(wanted: Inputs, last: RunRecord | None, slug: str | None = "alpha") -> tuple[str, ...]:
    plan = make_fleet_plan({slug: wanted}, {} if last is None else {slug: last})
    return plan.tasks[0].reasons if plan.tasks else ()


def test_a_stack_with_the_same_digests_needs_no_run() -> None:
    assert make_fleet_plan({"alpha": SAME}, {"alpha": run()}) == dataclasses.replace(
        make_fleet_plan({}, {}), unchanged=1
    )


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("program", "the program changed"),
        ("settings", "the settings changed"),
        ("tenant", "its file changed"),
        ("foundation", "objects of the foundation were created again"),
    ],
)
def test_each_digest_that_differs_is_a_reason(field: str, reason: str) -> None:
    assert reasons(dataclasses.replace(SAME, **{field: "other"}), run()) == (reason,)


def test_the_foundation_runs_for_other_people() -> None:
    assert reasons(dataclasses.replace(SAME, tenant="x"), run(), None) == ("the people of the tenants changed",)


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (None, "it has no run yet"),
        (run(result=Result.PARTIAL), "its last run failed in part"),
        (run(result=Result.FAILED), "its last run failed"),
        (run(result=Result.REFUSED), "its last run was refused"),
        (run(result=Result.INTERRUPTED), "its last run was interrupted"),
        (run(waits=True), "people had no account"),
    ],
)
def test_the_last_run_is_a_reason(last: RunRecord | None, reason: str) -> None:
    assert reasons(SAME, last) == (reason,)


def test_the_foundation_is_first_then_the_oldest_runs() -> None:
    inputs = dict.fromkeys(["alpha", "beta", "gamma", None], dataclasses.replace(SAME, program="new"))
    runs = {"alpha": run(age=1), "beta": run(age=3), None: run(), "delta": run(age=2)}
    plan = make_fleet_plan(inputs, runs)
    assert [task.unit for task in plan.tasks] == [None, "gamma", "beta", "delta", "alpha"]
    assert [(task.unit, task.removed) for task in plan.tasks if task.removed] == [("delta", True)]


def test_all_stacks_run_if_asked_for() -> None:
    plan = make_fleet_plan({"alpha": SAME}, {"alpha": run()}, every=True)
    assert [task.reasons for task in plan.tasks] == [("asked for",)]


def test_the_benchmark_measures_an_unchanged_fleet(capsys: pytest.CaptureFixture[str]) -> None:
    bench_fleet_plan.main([3])
    assert capsys.readouterr().out.splitlines()[-1].split()[0] == "3"


# Records ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return state_storage({"PULUMI_BACKEND_URL": f"file://{tmp_path}"})


def test_records_are_read_back_and_removed(storage: Storage) -> None:
    records = Records(storage, "organisation/usine/prod")
    assert records.runs() == {}
    for slug in (None, "alpha", "beta"):
        records.write_run(slug, run())
    scan = ScanRecord(NOW, 2, complete=False)
    records.write_scan("alpha", scan, "{}")
    assert records.runs() == dict.fromkeys([None, "alpha", "beta"], run())
    assert (records.scans(), records.report("alpha")) == ({"alpha": scan}, "{}")
    records.write_scan("alpha", dataclasses.replace(scan, findings=0), "{}")
    assert records.report("alpha") is None, "a clean scan has no report"
    records.remove("alpha")
    assert (set(records.runs()), records.scans()) == ({None, "beta"}, {})
    assert Records(storage, "test").runs() == {}, "another fleet beside it"


def test_a_run_of_an_older_pipeline_replaces_no_record_of_a_later_one(storage: Storage) -> None:
    records = Records(storage, "prod")
    for written, kept in (("9", "9"), ("10", "10"), ("9", "10"), ("", "")):
        records.write_run("alpha", dataclasses.replace(run(), run=written))
        assert records.runs()["alpha"].run == kept, "a person without a pipeline decides"


def test_a_record_that_cannot_be_read_does_not_exist(storage: Storage) -> None:
    records = Records(storage, "prod")
    records.write_run("alpha", run())
    storage.write(b'{"result": "applied"}', ".usine", "fleet", "prod", "runs", "beta.json")
    assert set(records.runs()) == {"alpha"}


def test_a_storage_that_does_not_answer_is_one_error_without_its_address() -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("https://user:hunter2@store.example.fr")

    records = Records(Storage(Broken(), "bucket"), "prod")
    calls: list[Callable[[], object]] = [
        records.runs,
        records.scans,
        lambda: records.report("a"),
        lambda: records.write_run("a", run()),
        lambda: records.write_scan("a", ScanRecord(NOW, 1, complete=True), "{}"),
        lambda: records.remove("a"),
    ]
    for call in calls:
        with pytest.raises(EngineError) as raised:
            call()
        assert str(raised.value) == "the records beside the state: RuntimeError"


def test_digests_depend_on_every_part_and_its_end() -> None:
    assert len({digest_of(parts) for parts in (["a", "b"], ["ab"], ["a", "b", ""], ["b", "a"])}) == 4
    assert digest_of_ids({"u": "1", "v": "2"}) == digest_of_ids({"v": "2", "u": "1"}) != digest_of_ids({"u": "2"})


# Removals ---------------------------------------------------------------------------------------------------------


def test_too_many_tenants_at_once_are_refused() -> None:
    settings = factories.settings()
    assert not tenant_removals(["a", "b"], 10, settings, {})
    (refused,) = tenant_removals([str(number) for number in range(6)], 10, settings, {})
    assert refused.text == "6 of 10 tenants would be archived or removed"
    assert not tenant_removals([str(number) for number in range(6)], 10, settings, {"tenant": 6})


def removed(tenant: str, name: str = "x", kind: str = "vault:index/policy:Policy") -> Entry:
    return Entry(Action.DESTROYED, tenant, "vault", kind, name)


def test_removals_of_all_stacks_are_counted_together() -> None:
    count = RemovalCount(factories.settings(), {}, {"gone"})
    for number in range(50):
        count.add(
            None, [removed(f"t-{number}"), removed("gone"), dataclasses.replace(removed("a"), action=Action.CHANGED)]
        )
    assert not count.exceeded
    count.add(None, [dataclasses.replace(removed("b"), action=Action.REPLACED)])
    assert [(removal.kind, removal.removed) for removal in count.exceeded] == [("vault:index/policy:Policy", 51)]
    allowing = RemovalCount(factories.settings(), {"vault:index/policy:Policy": 51}, ())
    allowing.counts = count.counts
    assert not allowing.exceeded
