"""`usine up`: `pulumi up` with guardrails: checks, a run lock, recovery, guards on the plan, and a report."""

from __future__ import annotations

import argparse
import signal
import sys
from collections import Counter
from dataclasses import replace
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
    make_guardrails,
    open_stack,
    recover_stack,
    run_id,
    tell,
    write_files,
    write_reports,
)
from usine.commands.progress import watched
from usine.commands.zones_publish import publish
from usine.engine.binding import BoundPlan, load_plan
from usine.engine.cli import EngineError
from usine.engine.guarded import Outcome, Status, guarded_up
from usine.engine.lock import HeldLock, hold
from usine.engine.log_ins import end_log_ins
from usine.engine.order import OVERTAKEN, LaterRunError, refuse_older_run
from usine.engine.recover import adopt_kept, adopt_late
from usine.engine.report import run_report
from usine.engine.storage import NoStorageError, state_storage
from usine.report import as_json, html
from usine.report.ids import NoticeId
from usine.report.model import Action, Notice, Report, Severity
from usine.zones.publish import REMEDY, notices_of

_REPORTS = Path("out") / "up"
#: Number of runs whose reports and logs are kept.
_KEPT = 50
_ACTIONS = (Action.CREATED, Action.CHANGED, Action.REPLACED, Action.DESTROYED, Action.FAILED)
_EXIT = {Status.APPLIED: 0, Status.REFUSED: 1, Status.FAILED: 1, Status.PARTIAL: 4}

_EPILOG = """\
exit code: 0 everything was applied, 1 refused or failed and nothing was applied, 4 some objects were applied and others
failed (when a system fails, the others go on), or a zone was not published, 5 a later pipeline has run this stack and
nothing was changed (--run), 130 interrupted.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "up",
        help="make the platform match the tenant files",
        description="Check every file, take the run lock, recover an interrupted run, preview, refuse a plan that "
        "violates a guard or a policy, apply, and report by tenant and system. Plain `pulumi up` only applies.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_settings_argument(parser)
    add_stack_argument(parser)
    add_run_arguments(parser)
    add_wait_argument(parser)
    parser.add_argument(
        "--plan", metavar="FILE", type=Path, help="apply exactly the plan of `usine preview --out FILE`, or refuse"
    )
    parser.add_argument(
        "--run",
        metavar="ID",
        dest="run_id",
        type=run_id,
        help="the id of the pipeline: nothing is changed if a later one has run this stack",
    )
    parser.add_argument("--expect-no-changes", action="store_true", help="exit with code 1 when anything was changed")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run all steps; see the epilog for the exit code."""
    # A cancelled job ends like Ctrl-C: the engine stops in order, and the lock is released.
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console()
    try:
        plan = load_plan(args.plan) if args.plan else None
        stack = open_stack(args)
        with hold(stack.engine, wait=args.wait, say=partial(_say, console)) as lock:
            if args.run_id:
                refuse_older_run(state_storage(stack.engine.environment), stack.engine.stack, args.run_id)
            path = _REPORTS / f"{lock.owner.since:%Y%m%dT%H%M%SZ}-{stack.engine.stack.replace('/', '-')}"
            outcome, notices = _apply(stack, lock, args, plan, _beside(path, ".log"), console)
    except SpecError as error:
        return report_problems(error)
    except LaterRunError as error:
        print(f"usine up: {error}", file=sys.stderr)
        return OVERTAKEN
    except (EngineError, NoStorageError) as error:
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
    """Recover, preview, check and apply; return the outcome, and notices about recovery and log-ins."""
    recovered: list[str] = []

    def say(text: str) -> None:
        recovered.append(text)
        _say(console, text)

    if lock.predecessor is not None:
        recovered.append(f"took over from an interrupted run: {lock.predecessor.owner}")
    recovery = recover_stack(stack, lock, say)
    _say(console, f"usine up: {len(stack.platform.tenants)} tenants (engine's output: {log})")
    with watched(console) as on_progress:
        guardrails = make_guardrails(stack, args, ROOT / log, on_progress)
        outcome = guarded_up(stack.engine, lock, guardrails, plan, recovery.checkpoint)
    failed = {failure.address.urn for failure in outcome.failures if failure.address}
    late = adopt_late(stack.engine, stack.finder, [r for r in recovery.forgotten if r["urn"] in failed])
    kept = adopt_kept(stack.engine, stack.finder, outcome.events.steps) if outcome.applying else ()
    tell("adopted an object that an interrupted run created late", late, say)
    tell("adopted an object that an earlier run left in its system", kept, say)
    if late or kept:
        with watched(console) as on_progress:
            outcome = guarded_up(stack.engine, lock, make_guardrails(stack, args, ROOT / log, on_progress))
    notices = tuple(Notice(NoticeId.RECOVERY, Severity.INFO, text) for text in recovered)
    if outcome.applying and not args.target:
        # After Keycloak's groups have changed: an earlier log-in would still get the old groups.
        notices += end_log_ins(stack.settings, stack.platform.tenants, stack.engine.environment)
    if outcome.applying:
        # Also after a run that failed in part: the state has what was done.
        published = _publish(stack, args)
        notices += published
        if outcome.status is Status.APPLIED and any(notice.severity is Severity.WARNING for notice in published):
            outcome = replace(outcome, status=Status.PARTIAL)
    return outcome, notices


def _publish(stack: OpenStack, args: argparse.Namespace) -> tuple[Notice, ...]:
    """Publish the repositories of zones; the run was applied, so that no problem may end it without a report."""
    try:
        return notices_of(publish(stack, dict(args.allow_removals)))
    except EngineError as error:
        return (Notice(NoticeId.ZONE, Severity.WARNING, f"zones were not published: {error}", remedy=REMEDY),)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _show(report: Report, settings: Settings, console: Console) -> None:
    """Print counts by system, failures and refusals; the report's files have every object."""
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
            console.print(f"  {system.value:<11} {login_page(settings, system)}", markup=False, highlight=False)
    for entry in report.entries:
        if entry.action is Action.FAILED:
            _say(console, f"failed: {entry.name}: {entry.note}")
    for notice in report.notices:
        if notice.rule != NoticeId.RECOVERY:  # printed when it happened
            _say(console, f"{'refused' if notice.refuses else notice.severity}: {notice.text} [{notice.rule}]")
            if notice.remedy:
                _say(console, f"  {notice.remedy}")
    _say(console, report.verdict)


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True, highlight=False)


def login_page(settings: Settings, system: System) -> str:
    """Return where people log in to a system; several addresses with commas between them."""
    if system is System.KUBERNETES:
        return ", ".join(sorted({cluster.server for cluster in settings.clusters.values()}))
    if system is System.KEYCLOAK:
        return f"{settings.issuer}/account"
    if system is System.OBSERVABILITY:
        return settings.observability.runbooks
    urls = [url for one, url in settings.addresses if one is system]
    return ", ".join(f"{url}/ui" if system is System.VAULT else url for url in urls)


def _keep(report: Report, path: Path) -> None:
    """Write the report beside those of the last runs, and remove old ones. Raises SpecError when that fails."""
    pages = {".json": as_json.render(report), ".html": html.render(report)}
    write_files({ROOT / _beside(path, suffix): text for suffix, text in pages.items()})
    for suffix in (*pages, ".log"):
        for old in sorted((ROOT / path).parent.glob(f"*{suffix}"))[:-_KEPT]:
            old.unlink(missing_ok=True)
    print(f"report: {_beside(path, '.html')}; the engine's own output: {_beside(path, '.log')}")


def _beside(path: Path, suffix: str) -> Path:
    """Return the path with another suffix: `with_suffix` would cut a stack's name at its last dot."""
    return path.with_name(path.name + suffix)


def _exit_code(outcome: Outcome, report: Report, *, expect_no_changes: bool) -> int:
    if outcome.interrupted:
        return 130
    changed = any(entry.action is not Action.FAILED for entry in report.entries)
    return 1 if expect_no_changes and changed else _EXIT[outcome.status]
