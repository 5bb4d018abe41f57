"""`usine fleet report`: merge the reports of the jobs of one run into one."""

from __future__ import annotations

import argparse
import datetime
import glob
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from model.problems import SpecError
from usine.commands.common import ROOT, read_waivers_beside, report_problems
from usine.commands.engine_stack import add_allowance_argument, add_report_arguments, run_id, write_reports
from usine.commands.fleet_open import Fleet, add_fleet_arguments, open_fleet, print_report
from usine.commands.fleet_up import exit_code, later_notices
from usine.engine.cli import EngineError
from usine.engine.sources import commit_of
from usine.fleet.records import Result, RunRecord
from usine.fleet.removals import RemovalCount, SharedRemovals, too_many_removed
from usine.fleet.report import fleet_report, result_of
from usine.fleet.running import Done, FleetJob, read_report
from usine.report.model import Report
from usine.rules.reading import allowances

_REPORT = "up.json"
#: The exit code of a run with a result (`usine.fleet.report.result_of` has the inverse).
_CODES = {Result.APPLIED: 0, Result.PARTIAL: 4, Result.INTERRUPTED: 130}


def register(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "report",
        help="merge the reports of the jobs of a run",
        description="Read the records of the stacks that the jobs of a run (`usine fleet up --run ID`) have run, and "
        "the reports of these stacks in out/fleet. The engine does not run, and no system is asked. Exit code: as "
        "`usine fleet up`.",
    )
    add_fleet_arguments(parser)
    add_allowance_argument(parser)
    add_report_arguments(parser)
    parser.add_argument("--run", metavar="ID", dest="run_id", type=run_id, required=True, help="the id of the run")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the report of all jobs."""
    try:
        fleet = open_fleet(args)
        report, results = _report(fleet, args)
        write_reports(report, args)
    except SpecError as error:
        return report_problems(error)
    except (EngineError, OSError) as error:
        print(f"usine fleet report: {error}", file=sys.stderr)
        return 1
    print_report(report)
    return exit_code(report, results)


def _report(fleet: Fleet, args: argparse.Namespace) -> tuple[Report, tuple[Result, ...]]:
    runs = fleet.runs()
    declared = {None, *fleet.layout.units}
    ended = {unit: _done(fleet, unit, record) for unit, record in runs.items() if record.run == args.run_id}
    ended |= {unit: _done(fleet, unit, None) for unit in _removed(fleet, declared | runs.keys())}
    plan = fleet.plan(runs)
    waiting = [
        task
        for task in plan.tasks
        if task.unit not in ended and (task.last is None or not task.last.is_later(args.run_id))
    ]
    later = [one for one in plan.waiting if one.task.unit not in ended]
    unblocked = [one for one in later if not one.blocked]
    stacks = len(declared | runs.keys() | ended.keys())
    now = datetime.datetime.now(datetime.UTC)
    today = now.date()
    waivers = read_waivers_beside(args.settings, fleet.platform.settings, today)
    allowed = {**allowances(waivers, today), **dict(args.allow_removals)}
    count = RemovalCount(fleet.settings, allowed, (), SharedRemovals(fleet.records, args.run_id))
    count.read()
    fleet.records.remove_old_removals(now)
    report = fleet_report(
        fleet.layout.base,
        list(ended.values()),
        (("stacks", str(stacks)), ("run", args.run_id), ("commit", commit_of(ROOT) or "none")),
        (*too_many_removed(count.exceeded), *later_notices(later)),
        unchanged=stacks - len(ended) - len(waiting) - len(later),
        waiting=len(waiting) + len(later) - len(unblocked),
        later=len(unblocked),
    )
    return report, tuple(result_of(done) for done in ended.values())


def _removed(fleet: Fleet, known: Collection[str | None]) -> Iterator[str]:
    """Yield the units whose stack a job has removed: there is a report, and no record any more."""
    start = fleet.layout.folder_of("").name
    for report in sorted(fleet.layout.folder.glob(f"{glob.escape(start)}*/{_REPORT}")):
        unit = report.parent.name.removeprefix(start)
        if unit not in known:
            yield unit


def _done(fleet: Fleet, unit: str | None, record: RunRecord | None) -> Done:
    """Return the run of a stack; `record` None: it was applied, and the stack removed."""
    folder = fleet.layout.folder_of(unit)
    job = FleetJob(unit, (), folder / "settings.yaml", folder / _REPORT, Path("the log of its job"))
    report = read_report(job.report)
    if record is None:
        return Done(job, 0, 0, report)
    return Done(job, _CODES.get(record.result, 1), record.seconds, report, record.text)
