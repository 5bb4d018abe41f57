"""The simulation of merge requests: what it never does, and in what layouts and methods of merging differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.bench_merge_requests import LAYOUTS, MERGES, Case, Request, Simulation, main, throughput, times_of
from benchmarks.events import Clock, Queue, Steps

SMALL = Case("merge commit", "fleet", rate=60, tenants=12, runners=4, hours=0.5, platform=0.1, seed=3)


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_change_is_applied_by_one_run_of_a_stack_at_a_time(merge: str, layout: str) -> None:
    done = Simulation(replace(SMALL, merge=merge, layout=layout)).simulate()  # two runs of a stack at once raise
    assert len(done.requests) > 20
    assert {request.wrong for request in done.requests if request.applied is None} <= {True}
    assert all(request.applied > request.approved for request in done.requests if request.applied is not None)
    assert sorted(r.pipeline for r in done.requests if r.pipeline) == list(range(1, done.merged + 1))
    if layout != "one stack":
        assert {slug: run.inputs for slug, run in done.runs.items()} == done.main, "the newest files are applied"
    assert done.most_pipelines == 1 or layout == "fleet"


def test_pipelines_with_shared_jobs_meet_at_the_lock_of_a_stack() -> None:
    crowd = Case("merge commit", "fleet", 240, tenants=70, runners=60, hours=0.2, platform=0.3, people=0.4, seed=3)
    done = Simulation(crowd).simulate()
    assert done.most_pipelines > 10
    assert {slug: run.inputs for slug, run in done.runs.items()} == done.main


def test_an_older_pipeline_sets_no_stack_back() -> None:
    simulation = Simulation(SMALL)
    simulation.newest["t1"] = 9
    simulation.clock.begin(simulation.lane(["t1", "t2"], 3, simulation.main, Queue(simulation.clock, 0)))
    simulation.clock.run()
    assert [slug for slug, run in simulation.runs.items() if run.run == "3"] == ["t2"]


def together(layout: str, *tenants: str) -> Simulation:
    """Merge requests of these tenants at the same moment."""
    simulation = Simulation(replace(SMALL, layout=layout))
    for number, tenant in enumerate(tenants):
        request = Request(tenant, 0)
        simulation.requests.append(request)
        before, after = Queue(simulation.clock), Queue(simulation.clock)
        simulation.clock.begin(simulation.request(request, before, after), rank=number)
    simulation.clock.run()
    return simulation


def test_changes_that_do_not_meet_run_at_the_same_time() -> None:
    fleet, in_turn = together("fleet", "t1", "t2"), together("fleet, in turn", "t1", "t2")
    assert (fleet.most_runs, in_turn.most_runs) == (2, 1)
    assert (fleet.most_pipelines, in_turn.most_pipelines) == (2, 1)
    first, second = (request.applied for request in fleet.requests)
    assert first == second
    same = together("fleet", "t1", "t1")
    assert same.most_runs == 1
    assert same.runs["t1"].inputs == same.main["t1"]


def test_a_wrong_merge_request_leaves_the_train_and_those_behind_it_are_validated_again() -> None:
    def applied(*, wrong: bool) -> float:
        simulation = Simulation(replace(SMALL, merge="train", layout="fleet"))
        before = Queue(simulation.clock)
        for number, request in enumerate([Request("t1", 0, wrong=wrong), Request("t2", 0)]):
            simulation.requests.append(request)
            after = Queue(simulation.clock, 0)
            simulation.clock.begin(simulation.request(request, before, after), rank=number)
            before = after
        simulation.clock.run()
        (found,) = (request.applied for request in simulation.requests if request.tenant == "t2")
        assert found is not None
        return found

    assert applied(wrong=True) - applied(wrong=False) == SMALL.start + SMALL.validate


def test_times_that_grow_are_not_bounded() -> None:
    assert times_of(Simulation(SMALL).simulate()).bounded
    slow = replace(SMALL, layout="one stack", hours=1)
    assert not times_of(Simulation(slow).simulate()).bounded
    assert throughput(replace(slow, hours=2), (2, 60)) == 2


def test_a_queue_serves_the_lowest_rank_first() -> None:
    clock, seen = Clock(), []
    queue = Queue(clock)

    def process(name: str) -> Steps:
        yield queue
        seen.append(name)
        yield 1.0
        queue.give()

    for rank, name in ((3, "a"), (2, "b"), (1, "c")):
        clock.begin(process(name), rank=rank)
    clock.run()
    assert (seen, clock.now) == (["a", "c", "b"], 3.0)


def test_the_benchmark_has_a_row_for_each_method_and_layout(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--tenants", "3", "--hours", "0.1", "--rate", "60"])
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(MERGES) * len(LAYOUTS)
