"""`usine fleet drift`: scan the stacks whose last drift scan is the oldest, and report on all."""

from __future__ import annotations

import argparse
import datetime
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from model.problems import SpecError
from model.reading.drift_ignores import IGNORES_FILE
from usine.commands.common import ROOT, report_problems
from usine.commands.drift import CLEAN, COULD_NOT_TELL, DRIFT
from usine.commands.engine_stack import add_report_arguments, write_reports
from usine.commands.fleet_open import WAIT, Fleet, add_fleet_arguments, add_workers_argument, open_fleet, print_report
from usine.engine.cli import EngineError
from usine.fleet.records import ScanRecord
from usine.fleet.report import drift_report
from usine.fleet.running import Done, Workers
from usine.report import as_json, markdown
from usine.report.model import FOUNDATION, Report
from usine.report.words import duration
from usine.sticky.connection import StickyError
from usine.sticky.issue import keep

_LONG_AGO: Final = datetime.datetime.min.replace(tzinfo=datetime.UTC)
_EPILOG = """\
exit code: 0 no stack differs, 2 drift, 1 a stack could not be read completely. The report has the last scan of each
stack, also of those that this run did not scan.
"""


def register(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "drift",
        help="scan the stacks whose last scan is the oldest",
        description="Run `usine drift` on a share of the stacks, the oldest scans first, and report on all stacks.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_fleet_arguments(parser)
    add_report_arguments(parser)
    add_workers_argument(parser)
    parser.add_argument(
        "--share",
        metavar="FRACTION",
        type=_fraction,
        default=1.0,
        help="the part of the stacks to scan, such as 0.15 for all of them in a week of nightly scans (default: 1)",
    )
    parser.add_argument("--ignore", metavar="FILE", type=Path, default=ROOT / IGNORES_FILE, help="as in `usine drift`")
    parser.add_argument("--issue", action="store_true", help="keep one issue about drift up to date, for all stacks")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Scan, record, and report; see the epilog for the exit code."""
    try:
        fleet = open_fleet(args)
        scans = fleet.records.scans()
        runs = fleet.records.runs()
        # A wave of a change may wait for the scans of the one before.
        waves = fleet.settings.fleet.waves
        first = fleet.rollout(fleet.inputs(runs.get(None)), runs, scans).to_scan() if waves else frozenset()
        stacks = sorted(runs, key=lambda slug: (slug not in first, _ended(scans.get(slug)), slug or ""))
        chosen = stacks[: math.ceil(len(stacks) * args.share)]
        declared = {None, *(tenant.slug for tenant in fleet.platform.tenants)}
        words = ("drift", "--wait", WAIT, "--ignore", str(args.ignore.resolve()))
        jobs = [fleet.job(slug, runs[slug], *words, removed=slug not in declared) for slug in chosen]
        workers = Workers(args.workers, ROOT, fleet.variables)
        with workers.interruptible():
            failed = [done for done in workers.run(jobs) if not _record(fleet, done)]
        report, complete = _report(fleet, stacks, len(jobs), failed)
        write_reports(report, args)
        if args.issue:
            print(keep(report, markdown.render(report, marker="usine:drift"), name=args.stack))
    except SpecError as error:
        return report_problems(error)
    except (EngineError, OSError, StickyError) as error:
        print(f"usine fleet drift: {error}", file=sys.stderr)
        return COULD_NOT_TELL
    print_report(report)
    if workers.stopped:
        return 130
    if failed or not complete:
        return COULD_NOT_TELL
    return DRIFT if report.entries else CLEAN


def _ended(scan: ScanRecord | None) -> datetime.datetime:
    return _LONG_AGO if scan is None else scan.ended


def _record(fleet: Fleet, done: Done) -> bool:
    """Record a scan; return False if the job gave no report."""
    who = done.job.slug or FOUNDATION
    if done.report is None:
        print(f"{who}: not scanned: {done.reason}", flush=True)
        return False
    found = len(done.report.entries)
    complete = done.exit_code != COULD_NOT_TELL
    scan = ScanRecord(datetime.datetime.now(datetime.UTC), found, complete)
    fleet.records.write_scan(done.job.slug, scan, as_json.render(done.report))
    print(f"{who}: {done.report.verdict} ({duration(done.seconds)})", flush=True)
    return True


def _report(fleet: Fleet, stacks: Iterable[str | None], scanned: int, failed: Iterable[Done]) -> tuple[Report, bool]:
    """Return the report of all stacks, and whether the last scan of each was complete."""
    scans: Mapping[str | None, ScanRecord] = fleet.records.scans()
    listed = list(stacks)
    reports = [
        (slug, as_json.load(text))
        for slug in listed
        if (scan := scans.get(slug)) is not None and scan.findings
        if (text := fleet.records.report(slug)) is not None
    ]
    known = [scans[slug] for slug in listed if slug in scans]
    facts = [("stacks", str(len(listed))), ("scanned now", str(scanned))]
    if known:
        facts.append(("oldest scan", f"{min(scan.ended for scan in known):%Y-%m-%d %H:%M} UTC"))
    if len(known) < len(listed):
        facts.append(("never scanned", str(len(listed) - len(known))))
    report = drift_report(fleet.layout.base, reports, facts, failed)
    return report, all(scan.complete for scan in known)


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and up to 1, such as 0.15, found {text!r}")
    return value
