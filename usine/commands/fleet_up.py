"""`usine fleet up`: run the stacks that need it, a few at a time."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from model.problems import SpecError
from model.texts import enumerate_words
from model.units import tenant_of
from usine.commands.common import ROOT, find_tenant, read_waivers_beside, report_problems
from usine.commands.engine_stack import add_allowance_argument, add_report_arguments, run_id, write_reports
from usine.commands.fleet_open import (
    WAIT,
    Fleet,
    add_fleet_arguments,
    add_workers_argument,
    open_fleet,
    positive,
    print_report,
)
from usine.commands.fleet_plan import SHOWN, by_why, lines_of
from usine.diff.repository import GitError
from usine.engine.cli import EngineError
from usine.engine.moving import refuse_unfinished_move
from usine.engine.order import OVERTAKEN
from usine.engine.sources import commit_of
from usine.fleet.planning import FleetPlan, FleetTask, WaitingTask
from usine.fleet.records import Result, RunRecord
from usine.fleet.removals import (
    RemovalCount,
    SharedRemovals,
    active_tenants,
    leaving_tenants,
    tenant_removals,
    too_many_removed,
)
from usine.fleet.report import applied_entries, fleet_report, result_of, why_of
from usine.fleet.running import Done, Workers
from usine.report.ids import NoticeId
from usine.report.model import FOUNDATION, Notice, Report, Severity
from usine.report.words import duration, plural
from usine.rules.reading import allowances

_EPILOG = """\
exit code: 0 all chosen stacks that needed a run were applied; 4 some were, others failed, were refused or were not
begun; 1 nothing was applied; 130 interrupted. Run it again to continue: stacks that were applied are not run again.
"""


def register(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "up",
        help="run the stacks that need it",
        description="Run `usine up` on the foundation, if it needs a run, and then on each tenant that needs one. A "
        "tenant that fails does not stop the others.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_fleet_arguments(parser)
    add_allowance_argument(parser)
    add_report_arguments(parser)
    add_workers_argument(parser)
    parser.add_argument("--limit", metavar="N", type=positive, help="run at most N tenants, the oldest runs first")
    parser.add_argument(
        "--tenant",
        metavar="SLUG",
        action="append",
        default=[],
        help="only the stack of this tenant and the foundation, even if it is held or its wave has not begun; "
        "repeatable",
    )
    parser.add_argument(
        "--among",
        metavar="NAME",
        action="append",
        default=[],
        help="of the stacks that would be run, only that of this tenant or shard; without an error if it has neither a "
        "file nor a stack, as the jobs of a pipeline need it; repeatable",
    )
    parser.add_argument("--only", choices=("foundation", "tenants"), help="run this part only")
    parser.add_argument(
        "--run",
        metavar="ID",
        dest="run_id",
        type=run_id,
        help="the id of the pipeline: its jobs add up what they remove, and run no stack that a later one has run",
    )
    parser.add_argument(
        "--first",
        metavar="SLUG",
        action="append",
        default=[],
        help="run this tenant before the others, and begin no other unless it was applied; repeatable",
    )
    parser.add_argument(
        "--now", action="store_true", help="also run tenants that are held, and those whose wave has not begun"
    )
    parser.add_argument("--max-failures", metavar="N", type=positive, help="begin no other stack after N have failed")
    parser.add_argument("--all", action="store_true", help="also run stacks that need no run")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run all steps; see the epilog for the exit code."""
    return run_fleet(args)[0]


def run_fleet(args: argparse.Namespace) -> tuple[int, tuple[WaitingTask, ...]]:
    """Run all steps; return the exit code, and the stacks that must wait."""
    try:
        fleet = open_fleet(args)
        refuse_unfinished_move(fleet.records.storage, fleet.layout.base)
        _remove_old_checkouts(fleet)
        for slug in (*args.tenant, *args.first):
            if find_tenant(fleet.platform.tenants, slug, "fleet up") is None:
                return 1, ()
        today = datetime.datetime.now(datetime.UTC).date()
        waivers = read_waivers_beside(args.settings, fleet.platform.settings, today)
        begun = _Run.of(fleet, args, {**allowances(waivers, today), **dict(args.allow_removals)})
        report, results = begun.run()
        write_reports(report, args)
    except SpecError as error:
        return report_problems(error), ()
    except (EngineError, OSError) as error:
        print(f"usine fleet up: {error}", file=sys.stderr)
        return 1, ()
    print_report(report)
    return exit_code(report, results), begun.waiting


def _remove_old_checkouts(fleet: Fleet) -> None:
    """Remove the checkouts of versions that the settings no longer list. If that fails, nothing depends on it."""
    try:
        fleet.checkouts.remove_others(frozenset(fleet.settings.fleet.versions.values()))
    except (GitError, OSError) as error:
        print(f"usine fleet up: a checkout of an old version was not removed: {error}", file=sys.stderr)


@dataclass
class _Run:
    """One run of a fleet."""

    fleet: Fleet
    args: argparse.Namespace
    allowed: Mapping[str, int]
    workers: Workers
    #: The tenants that this run archives or removes.
    leaving: Collection[str] = ()
    #: The last run of each stack, when the plan was made.
    runs: Mapping[str | None, RunRecord] = field(default_factory=dict)
    commit: str | None = field(default_factory=lambda: commit_of(ROOT))
    ended: list[Done] = field(default_factory=list)
    #: The stacks that a later pipeline has run while this run was waiting for their lock.
    overtaken: list[str | None] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    #: The stacks that must wait at the end.
    waiting: tuple[WaitingTask, ...] = ()

    @classmethod
    def of(cls, fleet: Fleet, args: argparse.Namespace, allowed: Mapping[str, int]) -> _Run:
        return cls(fleet, args, allowed, Workers(args.workers, ROOT, fleet.variables))

    def run(self) -> tuple[Report, tuple[Result, ...]]:
        """Run the foundation, then the tenants; return the report and the results of all stacks."""
        with self.workers.interruptible():
            return self._run()

    def _run(self) -> tuple[Report, tuple[Result, ...]]:
        began = datetime.datetime.now(datetime.UTC)
        plan = self._plan()
        print("\n".join(lines_of(plan)), flush=True)
        stacks = len(plan.tasks) + len(plan.waiting) + plan.unchanged
        self.leaving = leaving_tenants(plan.tasks, self.fleet.active)
        if not self._refused():
            shared = SharedRemovals(self.fleet.records, self.args.run_id) if self.args.run_id else None
            count = RemovalCount(self.fleet.settings, self.allowed, self.leaving, shared)
            while batch := self._next(plan):
                if not (self._stacks(batch, count) and self._all_applied(batch)):
                    break
                # The foundation may have created objects again that tenants refer to, and the next wave may begin.
                plan = self._plan()
        begun = {done.job.unit for done in self.ended} | set(self.overtaken)
        tasks = {task.unit for task in plan.tasks}
        self.waiting = plan.waiting
        waiting = {one.task.unit for one in plan.waiting}
        named = [one for one in plan.waiting if not one.blocked or self._chosen(one.task)]
        self.notices += [*later_notices(named), *self._late(plan)]
        facts = (
            ("stacks", str(stacks)),
            ("began", f"{began:%Y-%m-%d %H:%M:%S} UTC"),
            ("commit", self.commit or "none"),
            ("workers", str(self.args.workers)),
        )
        report = fleet_report(
            self.fleet.layout.base,
            self.ended,
            facts,
            self.notices,
            unchanged=stacks - len(tasks | waiting | begun),
            waiting=len(tasks - begun) + len(plan.waiting) - len(plan.later),
            later=len(plan.later),
        )
        return report, tuple(result_of(done) for done in self.ended)

    def _plan(self) -> FleetPlan:
        self.runs = self.fleet.runs()
        waits = not (self.args.now or self.args.tenant)
        return self.fleet.plan(self.runs, every=self.args.all, waits=waits)

    def _refused(self) -> bool:
        existing = active_tenants(self.runs)
        refusals = tenant_removals(self.leaving, len(existing), self.fleet.settings, self.allowed)
        self.notices += refusals
        for notice in self.notices:
            print(f"refused: {notice.text}\n  {notice.remedy}")
        return bool(refusals)

    def _next(self, plan: FleetPlan) -> Sequence[FleetTask]:
        """Return the stacks to run next: the foundation, then those of `--first`, then all others that may run."""
        begun = {done.job.unit for done in self.ended} | set(self.overtaken)
        left = [
            task for task in plan.tasks if task.unit not in begun and self._chosen(task) and not self._is_late(task)
        ]
        if foundation := [task for task in left if task.unit is None]:
            return foundation
        chosen = left if self.args.limit is None else left[: self.args.limit - len(begun - {None})]
        return [task for task in chosen if task.unit in self._first] or chosen

    def _chosen(self, task: FleetTask) -> bool:
        """Return whether the options choose a stack."""
        part = "foundation" if task.unit is None else "tenants"
        if self.args.only not in {None, part}:
            return False
        return task.unit is None or not self._named or task.unit in self._named

    @cached_property
    def _named(self) -> frozenset[str]:
        return frozenset(map(self.fleet.layout.unit_of, (*self.args.tenant, *self.args.among)))

    @cached_property
    def _first(self) -> frozenset[str]:
        return frozenset(map(self.fleet.layout.unit_of, self.args.first))

    def _is_late(self, task: FleetTask) -> bool:
        """Return whether a later pipeline has run a stack: a job that is started again is no rollback."""
        return task.last is not None and task.last.is_later(self.args.run_id or "")

    def _late(self, plan: FleetPlan) -> Iterator[Notice]:
        late = {task.unit for task in plan.tasks if self._chosen(task) and self._is_late(task)} | set(self.overtaken)
        if late:
            names = sorted(unit or FOUNDATION for unit in late)
            text = f"not run, because a later pipeline has run them: {enumerate_words(names, SHOWN)}"
            print(text)
            yield Notice(NoticeId.FLEET_WAITS, Severity.WARNING, text, remedy="that pipeline has a newer commit")

    def _stacks(self, tasks: Sequence[FleetTask], count: RemovalCount) -> bool:
        """Run stacks; return whether others may follow."""
        by_unit = {task.unit: task for task in tasks}
        extra = [word for kind, number in self.args.allow_removals for word in ("--allow-removals", f"{kind}={number}")]
        run = ("--run", self.args.run_id) if self.args.run_id else ()
        versions = self.fleet.pinned.versions
        # Each job writes the settings file of its stack only when it begins.
        jobs = (
            self.fleet.job(
                task.unit,
                task.last,
                "up",
                # The version that a tenant is pinned to may not know the option.
                *("--wait", WAIT, *extra, *(() if task.unit in versions else run)),
                version=versions.get(task.unit or ""),
            )
            for task in tasks
        )
        fatal = False

        def go_on() -> bool:
            count.read()
            return not (count.exceeded or self._too_many_failed())

        for done in self.workers.run(jobs, go_on):
            task = by_unit[done.job.unit]
            if done.exit_code == OVERTAKEN:
                self.overtaken.append(task.unit)
                continue
            self.ended.append(done)
            result = result_of(done)
            print(f"{task.unit or FOUNDATION}: {result.value} in {duration(done.seconds)}: {why_of(done)}", flush=True)
            self._record(task, done, result)
            fatal = task.unit is None and result not in {Result.APPLIED, Result.PARTIAL}
            count.add(task.unit, applied_entries(done))
        self.notices += too_many_removed(count.exceeded)
        if self._too_many_failed():
            self._stop("too many stacks failed (--max-failures)", "correct the change, and run it again")
        return not (fatal or count.exceeded or self._too_many_failed() or self.workers.stopped)

    def _all_applied(self, batch: Sequence[FleetTask]) -> bool:
        """Return whether the tenants of `--first` were applied."""
        first = {task.unit for task in batch} & self._first
        failed = [d.job.unit for d in self.ended if d.job.unit in first and result_of(d) is not Result.APPLIED]
        if failed:
            self._stop(
                f"of those that go first, not applied: {', '.join(map(str, failed))}",
                "correct the change, and run it again",
            )
        return not failed

    def _too_many_failed(self) -> bool:
        most = self.args.max_failures
        failed = sum(1 for d in self.ended if result_of(d) not in {Result.APPLIED, Result.INTERRUPTED})
        return most is not None and failed >= most

    def _stop(self, why: str, remedy: str) -> None:
        self.notices.append(Notice(NoticeId.FLEET, Severity.WARNING, f"no other stack was begun: {why}", remedy=remedy))

    def _record(self, task: FleetTask, done: Done, result: Result) -> None:
        if task.removed and task.unit is not None and result is Result.APPLIED:
            try:
                self.fleet.engine(task.unit).remove_stack()
            except EngineError as error:
                result = Result.PARTIAL  # the next run tries again
                self.notices.append(
                    Notice(
                        NoticeId.FLEET,
                        Severity.WARNING,
                        f"the stack of {task.unit} is empty, but was not removed: {error}",
                        remedy="the next `usine fleet up` tries again",
                        tenant=tenant_of(task.unit),
                    )
                )
            else:
                self.fleet.records.remove(task.unit)
                return
        waits = done.report is not None and any(n.rule == NoticeId.PENDING_PEOPLE for n in done.report.notices)
        now = datetime.datetime.now(datetime.UTC)
        since = task.last.since if task.last is not None and task.last.carries(task.inputs) else None
        version = self.fleet.pinned.versions.get(task.unit or "")
        record = RunRecord(
            task.inputs,
            result,
            now,
            round(done.seconds, 1),
            self.commit,
            why_of(done),
            waits,
            self._tenants(task, result),
            self.fleet.foundation_ids() if task.unit is None else "",
            self.fleet.layout.salt(done.job.settings),
            now if since is None and result is Result.APPLIED else since,
            self.args.run_id or "",
            "" if version is None else version.commit,
        )
        self.fleet.records.write_run(task.unit, record)

    def _tenants(self, task: FleetTask, result: Result) -> tuple[str, ...]:
        """Return the tenants of a stack after its run, without archived ones."""
        if task.unit is None:
            return ()
        # A run that failed may not have removed all objects of a tenant.
        before = () if task.last is None or result is Result.APPLIED else task.last.active(task.unit)
        return tuple(sorted({*self.fleet.active_of(task.unit), *before}))


def later_notices(waiting: Collection[WaitingTask]) -> Iterator[Notice]:
    """Yield a notice for each reason to wait: a wave may have thousands of stacks."""
    for blocked in (True, False):
        for why, units in by_why(one for one in waiting if one.blocked is blocked).items():
            text = f"{plural(len(units), 'stack')} not run, {why}: {enumerate_words(units, SHOWN)}"
            tenant = tenant_of(units[0]) if len(units) == 1 else None
            if blocked:
                remedy = "correct that, and run it again"
                yield Notice(NoticeId.FLEET, Severity.WARNING, text, remedy=remedy, tenant=tenant)
            else:
                remedy = "to run one at once: --tenant SLUG; to run all: --now"
                yield Notice(NoticeId.FLEET_WAITS, Severity.INFO, text, remedy=remedy, tenant=tenant)


def exit_code(report: Report, results: Sequence[Result]) -> int:
    """Return the exit code of a run with these results of its stacks; see the epilog."""
    if Result.INTERRUPTED in results:
        return 130
    if all(result is Result.APPLIED for result in results) and not any(
        notice.rule in {NoticeId.FLEET, NoticeId.MASS_REMOVAL} for notice in report.notices
    ):
        return 0
    return 4 if Result.APPLIED in results or Result.PARTIAL in results else 1
