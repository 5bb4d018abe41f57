"""Merge requests per hour: a simulation of what waits for what, from the approval to the applied change.

Merge requests arrive at random (Poisson, fixed seed). Each changes one tenant, some change the platform. A pipeline
validates it, it is merged by one of GitLab's methods, and the pipeline of the default branch applies it. Which stacks
that runs, in which jobs, and what a job still has to do when it begins, the product's own functions decide
(`make_fleet_plan`, `ChildPipeline`). Not in the model: runs that fail, waves, and what people do after the approval.
Run: python -m benchmarks.bench_merge_requests [--tenants N] [--runners N] [--rate R] ...
     python -m benchmarks.bench_merge_requests --real      (compares one point with real processes)
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import math
import random
import shlex
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.events import Clock, Queue, Steps
from usine.fleet.layout import Layout
from usine.fleet.pipeline import ChildPipeline
from usine.fleet.planning import FleetTask, make_fleet_plan
from usine.fleet.records import Inputs, Result, RunRecord
from usine.fleet.running import FleetJob, Workers

MERGES: Final = ("rebase", "serial train", "train", "merge commit")
LAYOUTS: Final = ("one stack", "fleet, in turn", "fleet")
RATES: Final = (1, 2, 5, 10, 15, 20, 30, 40, 60, 90, 120, 180, 240)
#: GitLab runs so many pipelines of a merge train at a time (its documentation, Merge trains).
_TRAIN: Final = 20
_EPOCH: Final = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
_HOUR: Final = 3600.0
#: Tenants of a job that run at a time, and jobs of a pipeline: the defaults of `usine fleet pipeline`.
_WORKERS, _JOBS = 2, 20
_LAYOUT: Final = Layout("prod", Path(), Path(), Path(), {})


@dataclass(frozen=True, slots=True)
class Case:
    """What is simulated; times in seconds. docs/fleet-gitlab.md says where the defaults come from."""

    merge: str
    layout: str
    rate: float = 10
    tenants: int = 200
    #: For merge requests, and as many protected ones for the default branch.
    runners: int = 10
    hours: float = 4
    #: Image, checkout and packages of a job.
    start: float = 20
    validate: float = 60
    #: The run of a tenant or of the foundation, and the preview of one of the tenants of one stack.
    run: float = 12
    preview: float = 5
    #: Shares of the merge requests: they change who is in the platform, so that the foundation runs; they change the
    #: platform, so that everything runs; their validation in a train fails.
    people: float = 0.2
    platform: float = 0.02
    wrong: float = 0.02
    seed: int = 15


@dataclass
class Request:
    """A merge request for a tenant. `pipeline` is the one that its merge starts, `applied` is when its change was."""

    tenant: str
    approved: float
    people: bool = False
    platform: bool = False
    wrong: bool = False
    pipeline: int | None = None
    applied: float | None = None


@dataclass
class Simulation:
    """A platform with its queues. `most_runs` and `most_pipelines` are the most at the same time."""

    case: Case
    clock: Clock = field(default_factory=Clock)
    requests: list[Request] = field(default_factory=list)
    most_runs: int = 0
    most_pipelines: int = 0
    #: The stacks that a run is changing now, and how many pipelines of the default branch run.
    running: set[str | None] = field(default_factory=set)
    pipelines: int = 0
    #: Merge requests that were wrong in a train.
    failures: int = 0

    def __post_init__(self) -> None:
        """Apply everything once."""
        self.slugs = [f"t{number}" for number in range(self.case.tenants)]
        self.main: dict[str | None, Inputs] = dict.fromkeys([None, *self.slugs], Inputs("p", "s", "0"))
        self.runs: dict[str | None, RunRecord] = {
            slug: RunRecord(inputs, Result.APPLIED, _EPOCH, self.case.run, run="0")
            for slug, inputs in self.main.items()
        }
        #: What `usine.engine.order` keeps.
        self.newest: dict[str | None, int] = dict.fromkeys(self.main, 0)
        self.merged = 0
        self.small, self.protected = (Queue(self.clock, self.case.runners) for _ in range(2))
        self.train, self.single = Queue(self.clock, _TRAIN), Queue(self.clock)
        self.fleet = Queue(self.clock)
        self.groups: dict[str, Queue] = {}
        self.locks = {slug: Queue(self.clock) for slug in self.main}

    def simulate(self) -> Simulation:
        """Let the merge requests arrive, and run until all is done."""
        chance = random.Random(self.case.seed)  # noqa: S311 - a simulation, no secret
        moment, before = 0.0, Queue(self.clock)
        while (moment := moment + chance.expovariate(self.case.rate / _HOUR)) < self.case.hours * _HOUR:
            request = Request(
                chance.choice(self.slugs),
                moment,
                people=chance.random() < self.case.people,
                platform=chance.random() < self.case.platform,
                wrong=chance.random() < self.case.wrong,
            )
            self.requests.append(request)
            after = Queue(self.clock, 0)
            self.clock.begin(self.request(request, before, after), rank=len(self.requests), delay=moment)
            before = after
        self.clock.run()
        return self

    # Merge requests ---------------------------------------------------------------------------------------------------

    def request(self, request: Request, before: Queue, after: Queue) -> Steps:
        """Validate a merge request and merge it. `before` is free when those before it in a train have left it."""
        case = self.case
        if case.merge == "serial train":
            yield self.single
            yield from self._validate()
            if not request.wrong:
                self._merge(request)
            self.single.give()
        elif case.merge == "train":
            yield self.train
            failed = self.failures
            yield from self._validate()
            yield before
            before.give()
            if self.failures != failed:
                yield from self._validate()  # one before it was wrong and has left the train
            if request.wrong:
                self.failures += 1
            else:
                self._merge(request)
            self.train.give()
        else:
            valid = False
            while not valid:
                merged = self.merged
                yield from self._validate()
                valid = case.merge == "merge commit" or self.merged == merged or request.wrong
            if not request.wrong:
                self._merge(request)
        after.give()

    def _validate(self) -> Steps:
        yield self.small
        yield self.case.start + self.case.validate
        self.small.give()

    def _merge(self, request: Request) -> None:
        """Merge, which starts a pipeline of the default branch with the commit of this moment."""
        self.merged += 1
        request.pipeline = self.merged
        changed = [request.tenant, *([None] if request.people else [])]
        self.main = {**self.main, **{slug: replace(self.main[slug], tenant=str(self.merged)) for slug in changed}}
        if request.platform:
            self.main = {slug: replace(inputs, program=str(self.merged)) for slug, inputs in self.main.items()}
        self.clock.begin(self._pipeline(self.merged, self.main), rank=self.merged)

    # The default branch -----------------------------------------------------------------------------------------------

    def _pipeline(self, number: int, commit: dict[str | None, Inputs]) -> Steps:
        in_turn = self.case.layout != "fleet"
        if in_turn:
            yield self.fleet
        self.pipelines += 1
        self.most_pipelines = max(self.most_pipelines, self.pipelines)
        if self.case.layout == "one stack":
            for _ in ("preview", "up"):
                yield self.protected
                yield self.case.start + self.case.preview * self.case.tenants
                self.protected.give()
            for slug in commit:
                self._applied(slug, number)
        else:
            yield from self._child(number, commit)
        self.pipelines -= 1
        if in_turn:
            self.fleet.give()

    def _child(self, number: int, commit: dict[str | None, Inputs]) -> Steps:
        yield self.protected
        yield self.case.start
        tasks = self._tasks(number, commit)
        self.protected.give()
        foundation = any(task.unit is None for task in tasks)
        needed = {task.unit for task in tasks}
        others = [slug for slug in self.slugs if slug not in needed] if foundation else []
        child = ChildPipeline(_LAYOUT, "settings.yaml", str(number), "prod", _JOBS, _WORKERS)
        jobs = [job for job in child.document(tasks, (), others).values() if isinstance(job, dict) and "script" in job]
        for stage in ("foundation", "tenants", "report"):
            ended = Queue(self.clock, 0)
            begun = [job for job in jobs if job["stage"] == stage]
            for job in begun:
                self.clock.begin(self._job(job, number, commit, ended), rank=number)
            for _ in begun:
                yield ended

    def _job(self, job: Mapping[str, Any], number: int, commit: dict[str | None, Inputs], ended: Queue) -> Steps:
        group = self.groups.setdefault(job.get("resource_group", f"job {number}"), Queue(self.clock))
        yield group
        yield self.protected
        yield self.case.start
        words = shlex.split(job["script"][0])
        if "up" in words:
            chosen: set[str | None] = {slug for word, slug in itertools.pairwise(words) if word == "--among"} or {None}
            tasks = [task.unit for task in self._tasks(number, commit) if task.unit in chosen]
            lanes = Queue(self.clock, 0)
            for lane in range(_WORKERS):
                self.clock.begin(self.lane(tasks[lane::_WORKERS], number, commit, lanes), rank=number)
            for _ in range(_WORKERS):
                yield lanes
        self.protected.give()
        group.give()
        ended.give()

    def lane(self, slugs: Sequence[str | None], number: int, commit: dict[str | None, Inputs], done: Queue) -> Steps:
        """Run stacks one after the other, as a worker of a job does."""
        for slug in slugs:
            yield self.locks[slug]
            if self.newest[slug] <= number:
                self.newest[slug] = number
                if slug in self.running:
                    raise SystemExit(f"two runs of {slug} at once")
                self.running.add(slug)
                self.most_runs = max(self.most_runs, len(self.running))
                yield self.case.run
                self.running.discard(slug)
                moment = _EPOCH + datetime.timedelta(seconds=self.clock.now)
                self.runs[slug] = RunRecord(commit[slug], Result.APPLIED, moment, self.case.run, run=str(number))
                self._applied(slug, number)
            self.locks[slug].give()
        done.give()

    def _tasks(self, number: int, commit: dict[str | None, Inputs]) -> list[FleetTask]:
        """Return what a job of this commit has to do now, as `usine fleet pipeline` and `up` do."""
        tasks = make_fleet_plan(commit, self.runs).tasks
        return [task for task in tasks if task.last is None or not task.last.is_later(str(number))]

    def _applied(self, slug: str | None, number: int) -> None:
        for request in self.requests:
            of = request.pipeline
            if request.tenant == slug and request.applied is None and of is not None and of <= number:
                request.applied = self.clock.now


# Results --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Times:
    """Minutes from the approval until the change is applied.

    `bounded`: in the end, they are not above one and a half of the shortest and ten minutes.
    """

    median: float
    late: float
    bounded: bool


def times_of(simulation: Simulation) -> Times:
    """Return the times of the merge requests for one tenant that were merged."""
    applied = [(r.applied - r.approved) / 60 for r in simulation.requests if r.applied is not None and not r.platform]
    waits = applied or [0.0]
    bounded = statistics.median(waits[-math.ceil(len(waits) / 10) :]) <= 1.5 * min(waits) + 10
    return Times(statistics.median(waits), _percentile(waits), bounded)


def _percentile(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(0.95 * len(ordered)) - 1)]


def throughput(case: Case, rates: Sequence[float] = RATES) -> float:
    """Return the highest rate at which the times stay bounded; 0 if there is none."""
    best = 0.0
    for rate in rates:
        if not times_of(Simulation(replace(case, rate=rate)).simulate()).bounded:
            break
        best = rate
    return best


def real(jobs: int, workers: int, seconds: float) -> tuple[float, float]:
    """Return the seconds that `Workers` needs for processes that sleep, and those of the simulation of their lanes."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "usine").mkdir()
        (root / "usine" / "__init__.py").touch()
        (root / "usine" / "__main__.py").write_text(f"import time\ntime.sleep({seconds})\n", encoding="utf-8")
        listed = [FleetJob(str(n), (), root, root / f"{n}.json", root / f"{n}.log") for n in range(jobs)]
        began = time.monotonic()
        list(Workers(workers, root, {"PYTHONPATH": name}).run(listed))
        measured = time.monotonic() - began
    clock = Clock()
    queue = Queue(clock, workers)

    def job() -> Steps:
        yield queue
        yield seconds
        queue.give()

    for _ in range(jobs):
        clock.begin(job())
    clock.run()
    return measured, clock.now


def main(arguments: Sequence[str] = ()) -> None:
    """Print a row for each method of merging and each layout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers: dict[str, Callable[[str], float]] = {"tenants": int, "runners": int, "seed": int}
    for name in (one.name for one in fields(Case) if one.name not in {"merge", "layout"}):
        parser.add_argument(f"--{name}", type=numbers.get(name, float), default=getattr(Case("", ""), name))
    parser.add_argument("--real", action="store_true", help="only compare the simulation of workers with processes")
    values = vars(parser.parse_args(arguments))
    if values.pop("real"):
        for jobs, workers in ((12, 2), (12, 4)):
            measured, simulated = real(jobs, workers, 2)
            print(f"{jobs} jobs of 2 s, {workers} workers: {measured:.1f} s, simulated {simulated:.1f} s")
        return
    print(f"{'merged by':<14}{'layout':<16}{'an hour':>8}{'median':>9}{'95 %':>9}   at {values['rate']:g} an hour")
    for merge, layout in itertools.product(MERGES, LAYOUTS):
        case = Case(merge, layout, **values)
        times = times_of(Simulation(case).simulate())
        shown = f"{times.median:>6.1f} min{times.late:>5.1f} min" if times.bounded else f"{'grows':>18}"
        print(f"{merge:<14}{layout:<16}{throughput(case):>8.0f}{shown}", flush=True)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
