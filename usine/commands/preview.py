"""`usine preview`: the engine's plan for `usine up`, checked, and a bound plan for `usine up --plan`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from model.problems import SpecError
from usine.commands.common import ROOT, add_settings_argument, report_problems
from usine.commands.engine_stack import (
    add_run_arguments,
    add_stack_argument,
    facts,
    make_guardrails,
    open_stack,
    write_files,
    write_reports,
)
from usine.commands.progress import watched
from usine.engine.cli import EngineError
from usine.engine.guarded import Outcome, Status, guarded_preview
from usine.engine.lock import unlocked
from usine.engine.report import run_report
from usine.report import terminal

_LOGS = Path("out") / "preview"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "preview",
        help="show what `usine up` would do, with the real engine",
        description="Check every file, run the engine's preview, refuse what `usine up` would refuse. Changes nothing, "
        "takes no lock and does no recovery; a stack that does not exist is created, without resources.",
        epilog="exit code: 0 it may be applied, 1 refused, failed, or not as expected, 130 interrupted.",
    )
    add_settings_argument(parser)
    add_stack_argument(parser)
    add_run_arguments(parser)
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="write the plan to this file, for `usine up --plan FILE`; it has no values",
    )
    parser.add_argument(
        "--expect-no-changes", action="store_true", help="exit with code 1 when `usine up` would change anything"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Preview, show the report, and write the files that are asked for."""
    console = Console()
    try:
        stack = open_stack(args, any_layout=True)
        checkpoint = stack.engine.ensure_stack()
        lock = unlocked(stack.engine)
        log = ROOT / _LOGS / f"{stack.engine.stack.replace('/', '-')}.log"
        with watched(console) as on_progress:
            guardrails = make_guardrails(stack, args, log, on_progress)
            outcome = guarded_preview(stack.engine, lock, guardrails, checkpoint)
        report = run_report(outcome, f"usine preview: {stack.engine.stack}", facts(stack, lock), stack.notices)
        terminal.render(report, console)
        write_reports(report, args)
        _write_plan(outcome, args.out)
    except SpecError as error:
        return report_problems(error)
    except EngineError as error:
        print(f"usine preview: {error}", file=sys.stderr)
        return 1
    if outcome.interrupted:
        return 130
    changes = args.expect_no_changes and bool(outcome.events.steps)
    return 0 if outcome.status is Status.PLANNED and not changes else 1


def _write_plan(outcome: Outcome, path: Path | None) -> None:
    if path is None:
        return
    if outcome.plan is None or outcome.status is not Status.PLANNED:
        print(f"{path}: not written, because this plan may not be applied", file=sys.stderr)
        path.unlink(missing_ok=True)  # an older plan in this file would be mistaken for this one
        return
    write_files({path: outcome.plan.dumps()})
    print(f"{path}: apply exactly this plan with: usine up --plan {path}")
