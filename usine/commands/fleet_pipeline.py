"""`usine fleet pipeline`: write a child pipeline of GitLab that runs the stacks that need it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model.problems import SpecError
from usine.commands.common import ROOT, find_tenant, report_problems
from usine.commands.engine_stack import run_id, write_files
from usine.commands.fleet_open import (
    Fleet,
    add_fleet_arguments,
    add_workers_argument,
    open_fleet,
    positive,
)
from usine.commands.fleet_plan import plan_for_others
from usine.engine.cli import EngineError
from usine.fleet.pipeline import LONGEST, MOST_JOBS, ChildPipeline

_EPILOG = """\
exit code: 0 the file was written, also if no stack needs a run; 1 it was not, for example because too many tenants
would be archived or removed.
"""


def register(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "pipeline",
        help="write a child pipeline of GitLab that runs the stacks that need it",
        description="Write the configuration of a child pipeline: a job for the foundation if it needs a run, then "
        "jobs for the tenants that need one, then a job that merges their reports. The engine does not run.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_fleet_arguments(parser)
    add_workers_argument(parser)
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="write the configuration to this file")
    parser.add_argument(
        "--run", metavar="ID", dest="run_id", type=run_id, required=True, help="the id of the parent pipeline"
    )
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=_jobs,
        default=20,
        help=f"at most N jobs for tenants, up to {MOST_JOBS}; with more stacks, a job has several (default: 20)",
    )
    parser.add_argument("--limit", metavar="N", type=positive, help="at most N tenants, the oldest runs first")
    parser.add_argument(
        "--first",
        metavar="SLUG",
        action="append",
        default=[],
        help="run this tenant before the others, and no other unless it was applied; repeatable",
    )
    parser.add_argument("--now", action="store_true", help="run tenants that are held, and all waves at once")
    parser.add_argument(
        "--environment", metavar="NAME", help="the environment that the jobs deploy to (default: the name of the stack)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file; see the epilog for the exit code."""
    try:
        fleet = open_fleet(args)
        for slug in args.first:
            if find_tenant(fleet.platform.tenants, slug, "fleet pipeline") is None:
                return 1
        text = _render(fleet, args)
        if text is not None:
            write_files({args.out: text})
    except SpecError as error:
        return report_problems(error)
    except (EngineError, OSError) as error:
        print(f"usine fleet pipeline: {error}", file=sys.stderr)
        return 1
    return 0 if text is not None else 1


def _render(fleet: Fleet, args: argparse.Namespace) -> str | None:
    """Return the text of the file; None if too many tenants would be archived or removed. Raises EngineError."""
    found = plan_for_others(fleet, args.settings, waits=not args.now)
    if found is None:
        return None
    plan = found.plan
    # What a later pipeline has run has nothing to do in this one.
    tasks = [task for task in plan.tasks if task.last is None or not task.last.is_later(args.run_id)]
    foundation = [task for task in tasks if task.unit is None]
    tenants = [task for task in tasks if task.unit is not None][: args.limit]
    # The foundation may create objects again that tenants refer to: these tenants then need a run, too.
    needed = {task.unit for task in (*plan.tasks, *(one.task for one in plan.waiting))}
    others = [unit for unit in found.inputs if unit and unit not in needed] if foundation and args.limit is None else []
    child = ChildPipeline(
        fleet.layout,
        in_checkout(args.settings),
        args.run_id,
        args.environment or fleet.layout.base,
        args.jobs,
        args.workers,
        now=args.now,
    )
    text = child.render([*foundation, *tenants], list(map(fleet.layout.unit_of, args.first)), others)
    if len(text.encode()) > LONGEST:
        raise EngineError(f"the child pipeline has more than {LONGEST} bytes: --limit N leaves tenants to the next one")
    return text


def in_checkout(path: Path) -> str:
    """Return the path of a file relative to the checkout: each job has its own. Raises EngineError."""
    try:
        return path.resolve().relative_to(ROOT.resolve()).as_posix()
    except ValueError:
        raise EngineError(f"{path} is not in the checkout, so the jobs of a pipeline would not find it") from None


def _jobs(text: str) -> int:
    number = positive(text)
    if number > MOST_JOBS:
        raise argparse.ArgumentTypeError(f"expected at most {MOST_JOBS}, found {number}")
    return number
