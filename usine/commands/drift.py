"""`usine drift`: objects that were changed, deleted or created outside the program, and their repair."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from model.problems import SpecError
from model.reading.drift_ignores import IGNORES_FILE, IgnoreRule, load_ignores
from model.settings import FoundationMode
from pulumi_facts.urns import name_of
from usine.commands.common import ROOT, add_settings_argument, report_problems
from usine.commands.engine_stack import (
    OpenStack,
    add_stack_argument,
    duration,
    judge_systems,
    open_stack,
    recover_stack,
    write_files,
)
from usine.commands.progress import watched
from usine.drift import history, ignore, repair
from usine.drift.causes import group
from usine.drift.findings import DriftFinding
from usine.drift.patch import Patcher
from usine.drift.report import Subject, describe, folded, make_report, unfinished
from usine.drift.scan import scan_stack
from usine.engine.cli import EngineError
from usine.engine.guarded import Guardrails, Status
from usine.engine.lock import HeldLock, hold
from usine.engine.stored import expiry_notices
from usine.report import as_json, html, junit, markdown, terminal
from usine.report.model import Report
from usine.sticky.connection import StickyError
from usine.sticky.issue import keep

_LOG = Path("out") / "drift.log"
_HISTORY = Path("out") / "drift"
_MARKER = "usine:drift"

CLEAN, COULD_NOT_TELL, DRIFT = 0, 1, 2

_EPILOG = """\
exit code: 0 no drift, 2 drift, 1 some objects could not be read (the report has their tenants and systems, and the
drift of the others) or a repair failed. With --repair: 0 when the named objects are repaired.
"""
_FORMS: Mapping[str, str] = {"json": "JSON", "markdown": "Markdown", "html": "a page", "junit": "JUnit XML"}


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "drift",
        help="report what was changed outside the program, and repair what you name",
        description="Read the objects of every system and compare them with the stack's state. No system "
        "and no state is changed, unless --repair names an object.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_settings_argument(parser)
    add_stack_argument(parser)
    parser.add_argument(
        "--ignore",
        metavar="FILE",
        type=Path,
        default=ROOT / IGNORES_FILE,
        help="rules about intended differences (default: %(default)s)",
    )
    parser.add_argument(
        "--history", metavar="DIR", type=Path, help="folder of the earlier drift scans (default: out/drift/<stack>)"
    )
    for option, form in _FORMS.items():
        parser.add_argument(f"--{option}", metavar="FILE", type=Path, help=f"write the report to this file, as {form}")
    parser.add_argument(
        "--issue", action="store_true", help="keep one issue about drift up to date in the GitLab project"
    )
    add_repair_argument(parser)
    parser.add_argument(
        "--wait",
        metavar="DURATION",
        type=duration,
        default=datetime.timedelta(),
        help="time to wait for another run to end, such as 30m (default: do not wait)",
    )
    parser.set_defaults(run=run)


def add_repair_argument(parser: argparse._ActionsContainer) -> None:
    """Add `--repair`."""
    parser.add_argument(
        "--repair",
        metavar="KEY",
        nargs="+",
        action="extend",
        default=[],
        help="repair the objects with these keys, which are in the report, and change nothing else",
    )


@dataclass(frozen=True, slots=True)
class _ScanResult:
    """A drift scan and its reports: `whole` for programs, `short` for people."""

    whole: Report
    short: Report
    findings: tuple[DriftFinding, ...]
    blind: bool


def run(args: argparse.Namespace) -> int:
    """Scan, repair what is named and scan again, and report; see the epilog for the exit code."""
    console = Console()
    try:
        stack = open_stack(args)
        rules = load_ignores(args.ignore, _now().date())
        # A run of `usine up` at the same time would look like drift: the systems change before the state does.
        with hold(stack.engine, wait=args.wait, say=_sayer(console)) as lock:
            seen = _look(stack, rules, args, console)
            unrepaired = False
            if args.repair:
                seen, unrepaired = _repair(stack, lock, rules, seen, args, console)
        terminal.render(seen.short, console)
        write_files(_texts(seen, args))
    except SpecError as error:
        return report_problems(error)
    except (EngineError, repair.RepairError) as error:
        for line in str(error).splitlines():
            print(f"usine drift: {line}", file=sys.stderr)
        return COULD_NOT_TELL
    if args.issue and not _keep_issue(seen, args.stack, console):
        return COULD_NOT_TELL
    if seen.blind or unrepaired:
        return COULD_NOT_TELL
    return DRIFT if seen.findings and not args.repair else CLEAN


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _look(stack: OpenStack, rules: tuple[IgnoreRule, ...], args: argparse.Namespace, console: Console) -> _ScanResult:
    moment = _now()
    with console.status(f"looking at stack {args.stack}"):
        looked = scan_stack(stack.engine, stack.settings, stack.platform.tenants)
    settings = stack.settings
    whole = settings.tenants is None and settings.foundation is FoundationMode.INCLUDE and not looked.unseen
    source = args.ignore.relative_to(ROOT) if args.ignore.is_relative_to(ROOT) else args.ignore
    sifted = ignore.sift(looked.findings, rules, moment.date(), source=str(source), whole=whole)
    folder = args.history or ROOT / _HISTORY / args.stack
    past = history.read_past(folder)
    record = history.compare(past, sifted.kept, looked.unseen, history.stamp(moment))
    causes, _ = group(sifted.kept, looked.moved)
    subject = Subject(args.stack, looked.objects, len(sifted.ignored), causes, looked.credentials)
    notices = (
        *unfinished(looked.pending),
        *sifted.notices,
        *expiry_notices(looked.credentials, moment),
        *looked.notices,
    )
    report = make_report(subject, sifted.kept, looked.unseen, record, past, notices)
    try:
        history.write(folder, args.stack, record, past, sifted.kept, looked.unseen)
    except OSError as error:
        print(f"usine drift: {folder}: no history is kept: {error.strerror}", file=sys.stderr)
    return _ScanResult(report, folded(report, causes), sifted.kept, bool(looked.unseen))


def _sayer(console: Console) -> Callable[[str], None]:
    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    return say


def _repair(
    stack: OpenStack,
    lock: HeldLock,
    rules: tuple[IgnoreRule, ...],
    seen: _ScanResult,
    args: argparse.Namespace,
    console: Console,
) -> tuple[_ScanResult, bool]:
    """Repair what is named and scan again; return also whether some of it still differs."""
    say = _sayer(console)
    chosen = repair.choose(args.repair, seen.findings)
    objects = len({finding.object_key for finding in chosen})
    say(f"repairing {objects} {'object' if objects == 1 else 'objects'} (engine's output: {_LOG})")
    recover_stack(stack, lock, say)
    with watched(console) as on_progress:
        guardrails = Guardrails(
            stack.settings, ROOT / _LOG, stack.archived, on_progress=on_progress, on_state=judge_systems(stack)
        )
        done = repair.repair(
            stack.engine, lock, guardrails, chosen, Patcher(stack.settings, stack.engine.environment), say
        )
    for urn in done.along:
        say(f"updated as well, because it uses a value of a recreated object: {name_of(urn)}")
    for notice in done.outcome.notices:
        say(f"{notice.severity.value}: {notice.text}" + (f"; {notice.remedy}" if notice.remedy else ""))
    for failure in done.outcome.failures:
        say(f"failed: {failure.address.name if failure.address else 'the run'}: {failure.message}")
    again = _look(stack, rules, args, console)
    there = {finding.key for finding in again.findings}
    for finding in chosen:
        say(f"{'still differs' if finding.key in there else 'repaired'}: {describe(finding)}")
    return again, done.outcome.status is not Status.APPLIED or any(finding.key in there for finding in chosen)


def _texts(seen: _ScanResult, args: argparse.Namespace) -> dict[Path, str]:
    renderers: Mapping[str, Callable[[], str]] = {
        "json": lambda: as_json.render(seen.whole),
        "markdown": lambda: markdown.render(seen.short, marker=_MARKER),
        "html": lambda: html.render(seen.whole),
        "junit": lambda: junit.render(seen.whole),
    }
    return {path: renderers[form]() for form in _FORMS if (path := getattr(args, form)) is not None}


def _keep_issue(seen: _ScanResult, stack: str, console: Console) -> bool:
    try:
        said = keep(seen.short, markdown.render(seen.short, marker=_MARKER), name=stack)
    except StickyError as error:
        print(f"usine drift: {error}", file=sys.stderr)
        return False
    console.print(said, markup=False, soft_wrap=True)
    return True
