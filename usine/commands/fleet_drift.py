"""`usine fleet drift`: scan the stacks whose last drift scan is the oldest, report on all, and repair what is named."""

from __future__ import annotations

import argparse
import datetime
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from model.naming import names_of
from model.problems import SpecError
from model.reading.drift_ignores import IGNORES_FILE
from model.texts import suggest
from usine.clients.connections import Connections, below
from usine.clients.errors import ClientError
from usine.commands.common import ROOT, report_problems
from usine.commands.drift import CLEAN, COULD_NOT_TELL, DRIFT, add_repair_argument
from usine.commands.engine_stack import add_report_arguments, write_reports
from usine.commands.fleet_open import WAIT, Fleet, add_fleet_arguments, add_workers_argument, open_fleet, print_report
from usine.drift.findings import key_of
from usine.drift.repair import RepairError
from usine.engine.cli import EngineError
from usine.fleet.probes import read_probe
from usine.fleet.records import ProbeResult, RunRecord, ScanRecord
from usine.fleet.report import drift_report
from usine.fleet.running import Done, FleetJob, Workers
from usine.fleet.waves import Probe
from usine.report import as_json, markdown
from usine.report.ids import NoticeId
from usine.report.model import FOUNDATION, Notice, Report, Severity
from usine.report.words import duration
from usine.sticky.connection import StickyError
from usine.sticky.issue import keep

_LONG_AGO: Final = datetime.datetime.min.replace(tzinfo=datetime.UTC)
_EPILOG = """\
exit code: 0 no stack differs, 2 drift, 1 a stack could not be read completely. The report has the last scan of each
stack, also of those that this run did not scan. With --repair: 0 when the named objects are repaired, 1 otherwise.
"""


def register(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "drift",
        help="scan the stacks whose last scan is the oldest",
        description="Run `usine drift` on a share of the stacks, the oldest scans first, and report on all stacks. No "
        "system and no state is changed, unless --repair names an object.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_fleet_arguments(parser)
    add_report_arguments(parser)
    add_workers_argument(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--share",
        metavar="FRACTION",
        type=_fraction,
        default=1.0,
        help="the part of the stacks to scan, such as 0.15 for all of them in a week of nightly scans (default: 1)",
    )
    add_repair_argument(which)
    parser.add_argument("--ignore", metavar="FILE", type=Path, default=ROOT / IGNORES_FILE, help="as in `usine drift`")
    parser.add_argument("--issue", action="store_true", help="keep one issue about drift up to date, for all stacks")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Scan, record, and report; see the epilog for the exit code."""
    try:
        fleet = open_fleet(args)
        scans = fleet.records.scans()
        runs = fleet.runs()
        # A wave of a change may wait for the scans of the one before.
        waves = fleet.settings.fleet.waves
        rollout = fleet.rollout(fleet.inputs(runs.get(None)), runs, scans) if waves else None
        first = frozenset() if rollout is None else rollout.to_scan()
        stacks = sorted(runs, key=lambda unit: (unit not in first, _ended(scans.get(unit)), unit or ""))
        repairs = _repairs(_last_reports(fleet, stacks, scans), args.repair) if args.repair else {}
        chosen = list(repairs) or stacks[: math.ceil(len(stacks) * args.share)]
        workers = Workers(args.workers, ROOT, fleet.variables)
        ended = []
        with workers.interruptible():
            for done in workers.run(_jobs(fleet, chosen, runs, repairs, args.ignore)):
                _record(fleet, done, repairing=bool(repairs))
                ended.append(done)
        # What was not repaired was scanned all the same.
        failed = [] if repairs else [done for done in ended if done.report is None]
        asked = {} if rollout is None or repairs or workers.stopped else rollout.to_probe()
        probes = tuple(_read_probes(fleet, asked))
        report, complete = _report(fleet, stacks, len(ended), failed, probes)
        complete = complete and not any(notice.rule == NoticeId.COULD_NOT_LOOK for notice in probes)
        write_reports(report, args)
        if args.issue:
            print(keep(report, markdown.render(report, marker="usine:drift"), name=args.stack))
    except SpecError as error:
        return report_problems(error)
    except (EngineError, RepairError, OSError, StickyError) as error:
        for line in str(error).splitlines():
            print(f"usine fleet drift: {line}", file=sys.stderr)
        return COULD_NOT_TELL
    print_report(report)
    if workers.stopped:
        return 130
    if repairs:
        return CLEAN if all(done.exit_code == 0 for done in ended) else COULD_NOT_TELL
    if failed or not complete:
        return COULD_NOT_TELL
    return DRIFT if report.entries else CLEAN


def _ended(scan: ScanRecord | None) -> datetime.datetime:
    return _LONG_AGO if scan is None else scan.ended


def _repairs(scanned: Sequence[tuple[str | None, Report]], keys: Iterable[str]) -> dict[str | None, list[str]]:
    """Return the keys to repair in each stack: in their last scans, these had findings with these keys.

    Raises RepairError for keys that no stack has.
    """
    owners: dict[str, list[str | None]] = {}
    for unit, report in scanned:
        for one in report.entries:
            owners.setdefault(key_of(one.action, one.tenant, one.system, one.type, one.name), []).append(unit)
    found: dict[str | None, list[str]] = {}
    problems = []
    for key in dict.fromkeys(keys):
        if key not in owners:
            close = suggest(key, owners)
            hint = f"; did you mean {close}?" if close else ""
            problems.append(f"{key}: the last scan of no stack has a finding with this key{hint}")
        for unit in owners.get(key, ()):
            found.setdefault(unit, []).append(key)
    if problems:
        raise RepairError("\n".join(problems))
    return found


def _jobs(
    fleet: Fleet,
    chosen: Iterable[str | None],
    runs: Mapping[str | None, RunRecord],
    repairs: Mapping[str | None, Sequence[str]],
    ignore: Path,
) -> Iterator[FleetJob]:
    for unit in chosen:
        words = ("drift", "--wait", WAIT, "--ignore", str(ignore.resolve()))
        repair = ("--repair", *repairs[unit]) if unit in repairs else ()
        yield fleet.job(unit, runs[unit], *words, *repair)


def _record(fleet: Fleet, done: Done, *, repairing: bool) -> None:
    """Record a scan, if the job gave a report."""
    who = done.job.unit or FOUNDATION
    if repairing:
        print(done.job.log.read_text(encoding="utf-8", errors="replace"), end="")
    if repairing and done.job.unit is None and (last := fleet.records.run(None)) is not None:
        # Tenants refer to objects of the foundation, which a repair may have created again.
        fleet.records.write_run(None, replace(last, objects=fleet.foundation_ids()))
    if done.report is None:
        print(f"{who}: not {'repaired' if repairing else 'scanned'}: {done.reason}", flush=True)
        return
    complete = not any(notice.rule == NoticeId.COULD_NOT_LOOK for notice in done.report.notices)
    scan = ScanRecord(datetime.datetime.now(datetime.UTC), len(done.report.entries), complete)
    fleet.records.write_scan(done.job.unit, scan, as_json.render(done.report))
    print(f"{who}: {done.report.verdict} ({duration(done.seconds)})", flush=True)


def _read_probes(fleet: Fleet, probes: Mapping[str, Probe]) -> Iterator[Notice]:
    """Record the pipelines that the next wave waits for; yield a notice for each that keeps it waiting."""
    if not probes:
        return
    client = Connections(below(ROOT, fleet.settings.endpoints), fleet.variables).gitlab()
    tenants = {tenant.slug: tenant for tenant in fleet.platform.tenants}
    for slug, probe in probes.items():
        path = names_of(tenants[slug]).repository_path(fleet.settings.gitlab.root, probe.repository)
        branch = next(one.default_branch for one in tenants[slug].repositories if one.name == probe.repository)
        try:
            found = read_probe(client, path, branch, probe)
        except ClientError as error:
            text = f"the pipelines of {path} could not be read: {error}"
            print(f"{slug}: {text}", flush=True)
            yield Notice(NoticeId.COULD_NOT_LOOK, Severity.ERROR, text, tenant=slug)
            continue
        if found is None:
            print(f"{slug}: no finished pipeline of {path} since its run", flush=True)
            continue
        fleet.records.write_probe(slug, found)
        text = f"pipeline {found.pipeline} of {path} {found.result.words}"
        print(f"{slug}: {text}", flush=True)
        if found.result is not ProbeResult.SUCCESS:
            remedy = "correct the change; a later pipeline that succeeds lets the next wave begin"
            yield Notice(NoticeId.FLEET, Severity.WARNING, text, remedy=remedy, tenant=slug)


def _report(
    fleet: Fleet, stacks: Iterable[str | None], scanned: int, failed: Iterable[Done], notices: Iterable[Notice]
) -> tuple[Report, bool]:
    """Return the report of all stacks, and whether the last scan of each was complete."""
    scans: Mapping[str | None, ScanRecord] = fleet.records.scans()
    listed = list(stacks)
    reports = _last_reports(fleet, listed, scans)
    known = [scans[unit] for unit in listed if unit in scans]
    facts = [("stacks", str(len(listed))), ("scanned now", str(scanned))]
    if known:
        facts.append(("oldest scan", f"{min(scan.ended for scan in known):%Y-%m-%d %H:%M} UTC"))
    if len(known) < len(listed):
        facts.append(("never scanned", str(len(listed) - len(known))))
    report = drift_report(fleet.layout.base, reports, facts, failed, notices)
    return report, all(scan.complete for scan in known)


def _last_reports(
    fleet: Fleet, stacks: Iterable[str | None], scans: Mapping[str | None, ScanRecord]
) -> list[tuple[str | None, Report]]:
    """Return the reports of the last scans that have findings."""
    return [
        (unit, as_json.load(text))
        for unit in stacks
        if (scan := scans.get(unit)) is not None and scan.findings
        if (text := fleet.records.report(unit)) is not None
    ]


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and up to 1, such as 0.15, found {text!r}")
    return value
