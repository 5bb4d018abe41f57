"""`usine fleet up`: run the stacks that need it, a few at a time."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from model.problems import SpecError
from usine.commands.common import ROOT, find_tenant, read_waivers_beside, report_problems
from usine.commands.engine_stack import add_allowance_argument, add_report_arguments, write_reports
from usine.commands.fleet_open import (
    WAIT,
    Fleet,
    add_fleet_arguments,
    add_workers_argument,
    open_fleet,
    positive,
    print_report,
)
from usine.commands.fleet_plan import lines_of
from usine.engine.cli import EngineError
from usine.engine.moving import refuse_unfinished_move
from usine.engine.sources import commit_of
from usine.fleet.planning import FleetPlan, FleetTask, make_fleet_plan
from usine.fleet.records import Result, RunRecord, digest_of_state
from usine.fleet.removals import RemovalCount, tenant_removals
from usine.fleet.report import applied_entries, fleet_report, result_of, why_of
from usine.fleet.running import Done, Workers
from usine.report.ids import NoticeId
from usine.report.model import FOUNDATION, Notice, Report, Severity
from usine.report.words import duration
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
        "--tenant", metavar="SLUG", action="append", default=[], help="only this tenant and the foundation; repeatable"
    )
    parser.add_argument(
        "--first",
        metavar="SLUG",
        action="append",
        default=[],
        help="run this tenant before the others, and begin no other unless it was applied; repeatable",
    )
    parser.add_argument("--max-failures", metavar="N", type=positive, help="begin no other stack after N have failed")
    parser.add_argument("--all", action="store_true", help="also run stacks that need no run")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run all steps; see the epilog for the exit code."""
    try:
        fleet = open_fleet(args)
        refuse_unfinished_move(fleet.records.storage, fleet.layout.base)
        for slug in (*args.tenant, *args.first):
            if find_tenant(fleet.platform.tenants, slug, "fleet up") is None:
                return 1
        today = datetime.datetime.now(datetime.UTC).date()
        waivers = read_waivers_beside(args.settings, fleet.platform.settings, today)
        report, results = _Run.of(fleet, args, {**allowances(waivers, today), **dict(args.allow_removals)}).run()
        write_reports(report, args)
    except SpecError as error:
        return report_problems(error)
    except (EngineError, OSError) as error:
        print(f"usine fleet up: {error}", file=sys.stderr)
        return 1
    print_report(report)
    return _exit_code(report, results)


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
    notices: list[Notice] = field(default_factory=list)

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
        needed = len(plan.tasks)
        stacks = needed + plan.unchanged
        self.leaving = frozenset(_leaving(self.fleet, plan.tasks))
        if not self._refused():
            count = RemovalCount(self.fleet.settings, self.allowed, self.leaving)
            foundation = [task for task in plan.tasks if task.slug is None]
            if self._stacks(foundation, count):
                # A run of the foundation may have created objects again that tenants refer to.
                tenants = [task for task in (self._plan() if foundation else plan).tasks if task.slug is not None]
                needed = len(foundation) + len(tenants)
                chosen = self._chosen(tenants)
                first = [task for task in chosen if task.slug in self.args.first]
                if self._stacks(first, count) and self._all_applied(first):
                    self._stacks([task for task in chosen if task not in first], count)
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
            unchanged=stacks - needed,
            waiting=needed - len(self.ended),
        )
        return report, tuple(result_of(done) for done in self.ended)

    def _plan(self) -> FleetPlan:
        self.runs = self.fleet.records.runs()
        return make_fleet_plan(self.fleet.inputs(self.runs.get(None)), self.runs, every=self.args.all)

    def _refused(self) -> bool:
        existing = sum(1 for slug in self.runs if slug is not None)
        refusals = tenant_removals(self.leaving, existing, self.fleet.settings, self.allowed)
        self.notices += [
            Notice(
                NoticeId.MASS_REMOVAL,
                Severity.ERROR,
                refusal.text,
                remedy=f"if it is intended: --allow-removals {refusal.kind}={refusal.removed}",
            )
            for refusal in refusals
        ]
        for notice in self.notices:
            print(f"refused: {notice.text}\n  {notice.remedy}")
        return bool(refusals)

    def _chosen(self, tasks: Sequence[FleetTask]) -> Sequence[FleetTask]:
        chosen = [task for task in tasks if not self.args.tenant or task.slug in self.args.tenant]
        return chosen[: self.args.limit]

    def _stacks(self, tasks: Sequence[FleetTask], count: RemovalCount) -> bool:
        """Run stacks; return whether others may follow."""
        by_slug = {task.slug: task for task in tasks}
        extra = [word for kind, number in self.args.allow_removals for word in ("--allow-removals", f"{kind}={number}")]
        # Each job writes the settings file of its stack only when it begins.
        jobs = (
            self.fleet.job(task.slug, task.last, "up", "--wait", WAIT, *extra, removed=task.removed) for task in tasks
        )
        fatal = False
        for done in self.workers.run(jobs, lambda: not (count.exceeded or self._too_many_failed())):
            self.ended.append(done)
            task = by_slug[done.job.slug]
            result = result_of(done)
            print(f"{task.slug or FOUNDATION}: {result.value} in {duration(done.seconds)}: {why_of(done)}", flush=True)
            self._record(task, done, result)
            fatal = task.slug is None and result not in {Result.APPLIED, Result.PARTIAL}
            count.add(applied_entries(done))
        for removal in count.exceeded:
            self._stop(
                f"{removal.removed} objects of type {removal.kind} were removed",
                f"if it is intended: --allow-removals {removal.kind}=N, with the number of the whole fleet",
            )
        if self._too_many_failed():
            self._stop("too many stacks failed (--max-failures)", "correct the change, and run it again")
        return not (fatal or count.exceeded or self._too_many_failed() or self.workers.stopped)

    def _all_applied(self, first: Sequence[FleetTask]) -> bool:
        """Return whether the tenants that go first were applied."""
        slugs = {task.slug for task in first}
        failed = [d.job.slug for d in self.ended if d.job.slug in slugs and result_of(d) is not Result.APPLIED]
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
        if task.removed and task.slug is not None and result is Result.APPLIED:
            try:
                self.fleet.engine(task.slug).remove_stack()
            except EngineError as error:
                result = Result.PARTIAL  # the next run tries again
                self.notices.append(
                    Notice(
                        NoticeId.FLEET,
                        Severity.WARNING,
                        f"the stack of {task.slug} is empty, but was not removed: {error}",
                        remedy="the next `usine fleet up` tries again",
                        tenant=task.slug,
                    )
                )
            else:
                self.fleet.records.remove(task.slug)
                return
        waits = done.report is not None and any(n.rule == NoticeId.PENDING_PEOPLE for n in done.report.notices)
        record = RunRecord(
            task.inputs,
            result,
            datetime.datetime.now(datetime.UTC),
            round(done.seconds, 1),
            self.commit,
            why_of(done),
            waits,
            task.slug in self.fleet.archived,
            self._ids() if task.slug is None else "",
            self.fleet.layout.salt(done.job.settings),
        )
        self.fleet.records.write_run(task.slug, record)

    def _ids(self) -> str:
        """Return the digest of the ids of the foundation's objects."""
        try:
            state = self.fleet.engine(None).export_state()
        except EngineError:
            return ""  # another digest than before: each tenant is run
        return digest_of_state(state)


def _leaving(fleet: Fleet, tasks: Sequence[FleetTask]) -> set[str]:
    """Return the tenants that this run archives or removes."""
    return {
        task.slug
        for task in tasks
        if task.slug is not None
        and task.last is not None
        and not task.last.archived
        and (task.removed or task.slug in fleet.archived)
    }


def _exit_code(report: Report, results: Sequence[Result]) -> int:
    if Result.INTERRUPTED in results:
        return 130
    if all(result is Result.APPLIED for result in results) and not any(
        notice.rule in {NoticeId.FLEET, NoticeId.MASS_REMOVAL} for notice in report.notices
    ):
        return 0
    return 4 if Result.APPLIED in results or Result.PARTIAL in results else 1
