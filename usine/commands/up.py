"""`usine up`: `pulumi up` with guard rails: checks, a lock with an owner, recovery, a judged plan, and a report."""

from __future__ import annotations

import argparse
import signal
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from model.problems import SpecError
from model.settings import Settings, System
from usine.commands.common import ROOT, add_settings_argument, report_problems
from usine.commands.engine_stack import (
    OpenStack,
    add_run_arguments,
    add_stack_argument,
    add_wait_argument,
    facts,
    make_rails,
    open_stack,
    settle,
    tell,
    write_files,
    write_reports,
)
from usine.commands.progress import watched
from usine.engine.binding import BoundPlan, load_plan
from usine.engine.cli import EngineError
from usine.engine.guarded import Outcome, Status, guarded_up
from usine.engine.lock import HeldLock, hold
from usine.engine.log_ins import end_log_ins
from usine.engine.recover import adopt_kept, adopt_late
from usine.engine.report import run_report
from usine.report import as_json, html
from usine.report.model import Action, Notice, Report, Severity

_REPORTS = Path("out") / "up"
#: Runs whose reports and logs are kept.
_KEPT = 50
_ACTIONS = (Action.CREATED, Action.CHANGED, Action.REPLACED, Action.DESTROYED, Action.FAILED)
_EXIT = {Status.APPLIED: 0, Status.REFUSED: 1, Status.FAILED: 1, Status.PARTIAL: 4}

_EPILOG = """\
exit code: 0 everything was applied, 1 refused or failed and nothing was applied, 4 part of it was applied and part
failed (a failing system does not stop the others), 130 interrupted.
"""
#: The rule of notices about runs that were killed before.
_RECOVERY = "recovery"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "up",
        help="make the platform what the tenant files say",
        description="Check every file, take the stack's lock, settle what a killed run left, have the engine plan, "
        "refuse what must not be, apply, and report by tenant and system. Plain `pulumi up` does the engine's part.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_settings_argument(parser)
    add_stack_argument(parser)
    add_run_arguments(parser)
    add_wait_argument(parser)
    parser.add_argument(
        "--plan", metavar="FILE", type=Path, help="apply exactly what `usine preview --out FILE` showed, or nothing"
    )
    parser.add_argument("--expect-no-changes", action="store_true", help="exit 1 if anything had to be changed")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the whole sequence; see the epilog for the exit code."""
    # A cancelled pipeline ends like an interrupted run: the engine stopped in order, the lock given back.
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console()
    try:
        plan = load_plan(args.plan) if args.plan else None
        stack = open_stack(args)
        with hold(stack.engine, wait=args.wait, say=partial(_say, console)) as lock:
            path = _REPORTS / f"{lock.owner.since:%Y%m%dT%H%M%SZ}-{stack.engine.stack.replace('/', '-')}"
            outcome, notices = _apply(stack, lock, args, plan, _beside(path, ".log"), console)
    except SpecError as error:
        return report_problems(error)
    except EngineError as error:
        print(f"usine up: {error}", file=sys.stderr)
        return 1
    report = run_report(outcome, f"usine up: {stack.engine.stack}", facts(stack, lock), (*stack.notices, *notices))
    _show(report, stack.settings, console)
    try:
        write_reports(report, args)
        _keep(report, path)
    except SpecError as error:
        return report_problems(error)
    return _exit_code(outcome, report, expect_no_changes=args.expect_no_changes)


def _apply(
    stack: OpenStack, lock: HeldLock, args: argparse.Namespace, plan: BoundPlan | None, log: Path, console: Console
) -> tuple[Outcome, tuple[Notice, ...]]:
    """Settle, plan, judge, apply; return also what there is to say of a run before."""
    told: list[str] = []

    def say(text: str) -> None:
        told.append(text)
        _say(console, text)

    if lock.predecessor is not None:
        told.append(f"took over from a run that is gone: {lock.predecessor.owner}")
    settled = settle(stack, lock, say)
    _say(console, f"usine up: {len(stack.platform.projects)} projects (engine's output: {log})")
    with watched(console) as on_progress:
        rails = make_rails(stack, args, ROOT / log, on_progress)
        outcome = guarded_up(stack.engine, lock, rails, plan)
    failed = {failure.address.urn for failure in outcome.failures if failure.address}
    late = adopt_late(stack.engine, stack.finder, [r for r in settled.forgotten if r["urn"] in failed])
    kept = adopt_kept(stack.engine, stack.finder, outcome.events.steps) if outcome.applying else ()
    tell("adopted what a killed run had created after all", late, say)
    tell("adopted what an earlier run had left where it was", kept, say)
    if late or kept:
        with watched(console) as on_progress:
            outcome = guarded_up(stack.engine, lock, make_rails(stack, args, ROOT / log, on_progress))
    notices = tuple(Notice(_RECOVERY, Severity.INFO, text) for text in told)
    if outcome.applying and not args.target:
        # After Keycloak's groups: a log-in in between must not bring back what the files no longer give.
        notices += end_log_ins(stack.settings, stack.platform.projects, stack.engine.environment)
    return outcome, notices


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _show(report: Report, settings: Settings, console: Console) -> None:
    """Show numbers by system, what failed and what was refused; the report's files have every object."""
    table = Table(title=report.title)
    table.add_column("system")
    for action in _ACTIONS:
        table.add_column(action.value, justify="right")
    counts = Counter((entry.system, entry.action) for entry in report.entries)
    for system in System:
        if settings.on(system):
            table.add_row(system.value, *(str(counts[system, action] or "") for action in _ACTIONS))
    console.print(table)
    for system in System:
        if settings.on(system):
            console.print(f"  {system.value:<11} {_login_page(settings, system)}", markup=False, highlight=False)
    for entry in report.entries:
        if entry.action is Action.FAILED:
            _say(console, f"failed: {entry.name}: {entry.note}")
    for notice in report.notices:
        if notice.rule != _RECOVERY:  # said when it happened
            _say(console, f"{'refused' if notice.refuses else notice.severity}: {notice.text} [{notice.rule}]")
            if notice.mend:
                _say(console, f"  {notice.mend}")
    _say(console, report.verdict)


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True, highlight=False)


def _login_page(settings: Settings, system: System) -> str:
    if system is System.KUBERNETES:
        return ", ".join(sorted({cluster.server for cluster in settings.clusters.values()}))
    url = settings.endpoints[system].url
    if system is System.KEYCLOAK:
        return f"{url}/realms/{settings.keycloak.realm}/account"
    return f"{url}/ui" if system is System.VAULT else url


def _keep(report: Report, path: Path) -> None:
    """Keep the report among those of the last runs. Raises SpecError when it cannot be written."""
    pages = {".json": as_json.render(report), ".html": html.render(report)}
    write_files({ROOT / _beside(path, suffix): text for suffix, text in pages.items()})
    for suffix in (*pages, ".log"):
        for old in sorted((ROOT / path).parent.glob(f"*{suffix}"))[:-_KEPT]:
            old.unlink(missing_ok=True)
    print(f"report: {_beside(path, '.html')}; the engine's own output: {_beside(path, '.log')}")


def _beside(path: Path, suffix: str) -> Path:
    """Return the path with one more suffix: a stack's name may hold dots."""
    return path.with_name(path.name + suffix)


def _exit_code(outcome: Outcome, report: Report, *, expect_no_changes: bool) -> int:
    if outcome.interrupted:
        return 130
    changed = any(entry.action is not Action.FAILED for entry in report.entries)
    return 1 if expect_no_changes and changed else _EXIT[outcome.status]
