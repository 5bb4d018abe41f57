"""`usine fleet status`: the last run and the last drift scan of each stack, and what waits."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from model.problems import SpecError
from model.units import with_tenants
from usine.commands.common import report_problems
from usine.commands.engine_stack import write_files
from usine.commands.fleet_open import add_fleet_arguments, open_fleet
from usine.engine.cli import EngineError
from usine.fleet.planning import make_fleet_plan
from usine.fleet.records import RunRecord, ScanRecord
from usine.report.model import FOUNDATION


def register(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "status",
        help="show the last run and the last drift scan of each stack",
        description="Read the records of all stacks. The engine does not run, and no system is asked.",
    )
    add_fleet_arguments(parser)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the table to this file, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a row for each stack, those that need a run first."""
    try:
        fleet = open_fleet(args)
        runs, scans = fleet.runs(), fleet.records.scans()
        inputs = fleet.inputs(runs.get(None))
        rollout = fleet.rollout(inputs, runs, scans)
        plan = fleet.pinned.apply_to(rollout.apply_to(make_fleet_plan(inputs, runs)))
        pending = {task.unit: ", ".join(task.reasons) for task in plan.tasks}
        pending |= {one.task.unit: f"{', '.join(one.task.reasons)}; {one.why}" for one in plan.waiting}
        held = {unit: f"{hold.until}: {hold.reason}" for unit, hold in rollout.held.items()}
        pinned = {slug: f"{pin.version} until {pin.until}: {pin.reason}" for slug, pin in plan.pinned.items()}
        rows = [
            {"tenant": with_tenants(unit, fleet.layout.units, FOUNDATION)}
            | _row(pending.get(unit, ""), held.get(unit or "", ""), runs.get(unit), scans.get(unit))
            | {"pinned to": pinned.get(unit or "", "")}
            for unit in (*pending, *(unit for unit in inputs if unit not in pending))
        ]
        if args.json is not None:
            write_files({args.json: json.dumps(rows, indent=1) + "\n"})
    except SpecError as error:
        return report_problems(error)
    except EngineError as error:
        print(f"usine fleet status: {error}", file=sys.stderr)
        return 1
    table = Table()
    for heading in ("tenant", "last run", "result", "pending", "held until", "last scan", "drift", "pinned to"):
        table.add_column(heading)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
    return 0


def _row(pending: str, held: str, last: RunRecord | None, scan: ScanRecord | None) -> dict[str, str]:
    drift = "" if scan is None else str(scan.findings) + ("" if scan.complete else ", incomplete")
    return {
        "last run": "" if last is None else _moment(last.ended),
        "result": "" if last is None else last.result.value,
        "pending": pending,
        "held until": held,
        "last scan": "" if scan is None else _moment(scan.ended),
        "drift": drift,
    }


def _moment(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
