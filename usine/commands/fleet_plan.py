"""`usine fleet plan`: the stacks that need a run, and why."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model.problems import SpecError
from model.texts import enumerate_words
from usine.commands.common import read_waivers_beside, report_problems
from usine.commands.engine_stack import write_files
from usine.commands.fleet_open import Fleet, add_fleet_arguments, open_fleet
from usine.engine.cli import EngineError
from usine.fleet.planning import FleetPlan, WaitingTask
from usine.fleet.records import Inputs, RunRecord
from usine.fleet.removals import active_tenants, leaving_tenants, tenant_removals
from usine.report.model import FOUNDATION
from usine.report.words import plural
from usine.rules.reading import allowances

#: How many stacks a line names.
SHOWN: Final = 10


def register(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "plan",
        help="show which stacks need a run, and why",
        description="Compare the digests of program, settings, tenant files and foundation with those of the last run "
        "of each stack. The engine does not run, and no system is asked. Exit code: 0, also if stacks need a run.",
    )
    add_fleet_arguments(parser)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write stacks and reasons to this file, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the stacks that need a run."""
    try:
        fleet = open_fleet(args)
        runs = fleet.runs()
        plan = fleet.plan(runs)
        if args.json is not None:
            tasks = [{"tenant": task.unit, "reasons": task.reasons, "removed": task.removed} for task in plan.tasks]
            waiting = [{"tenant": one.task.unit, "reasons": one.task.reasons, "why": one.why} for one in plan.waiting]
            pinned = [
                {"tenant": slug, "version": pin.version, "until": str(pin.until), "reason": pin.reason}
                for slug, pin in sorted(plan.pinned.items())
            ]
            found = {"stacks": tasks, "waiting": waiting, "pinned": pinned, "unchanged": plan.unchanged}
            write_files({args.json: json.dumps(found, indent=1) + "\n"})
    except SpecError as error:
        return report_problems(error)
    except EngineError as error:
        print(f"usine fleet plan: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines_of(plan)))
    return 0


@dataclass(frozen=True, slots=True)
class Planned:
    """What other engines are given to run: the plan, what each stack depends on, and the last runs."""

    plan: FleetPlan
    inputs: Mapping[str | None, Inputs]
    runs: Mapping[str | None, RunRecord]


def plan_for_others(fleet: Fleet, settings: Path, *, waits: bool = True) -> Planned | None:
    """Plan, and print the plan; None, with the reasons printed, if too many tenants would be archived or removed.

    `settings` is the path of the settings file; the waivers are beside it. `waits`: with holds and waves. Raises
    SpecError and EngineError.
    """
    runs = fleet.runs()
    inputs = fleet.inputs(runs.get(None))
    planned = Planned(fleet.plan(runs, inputs, waits=waits), inputs, runs)
    print("\n".join(lines_of(planned.plan)))
    today = datetime.datetime.now(datetime.UTC).date()
    allowed = allowances(read_waivers_beside(settings, fleet.platform.settings, today), today)
    leaving = leaving_tenants(planned.plan.tasks, fleet.active)
    refusals = tenant_removals(leaving, len(active_tenants(runs)), fleet.settings, allowed)
    for notice in refusals:
        print(f"refused: {notice.text}\n  {notice.remedy}")
    return None if refusals else planned


def lines_of(plan: FleetPlan) -> list[str]:
    """Return the plan for people: one line for each set of reasons, with the stacks that have them."""
    grouped: dict[str, list[str]] = defaultdict(list)
    for task in plan.tasks:
        grouped[", ".join(task.reasons)].append(task.unit or FOUNDATION)
    lines = [f"{plural(len(units), 'stack')}, {why}: {enumerate_words(units, SHOWN)}" for why, units in grouped.items()]
    lines += [
        f"{plural(len(units), 'stack')} waiting, {why}: {enumerate_words(units, SHOWN)}"
        for why, units in by_why(plan.waiting).items()
    ]
    pinned: dict[str, list[str]] = defaultdict(list)
    for slug, pin in plan.pinned.items():
        pinned[f"{pin.version} until {pin.until}: {pin.reason}"].append(slug)
    lines += [
        f"{plural(len(slugs), 'stack')} pinned to {how}: {enumerate_words(slugs, SHOWN)}"
        for how, slugs in pinned.items()
    ]
    last = f"{plural(len(plan.tasks), 'stack')} to run, {plan.unchanged} unchanged"
    return [*lines, last + (f", {len(plan.waiting)} waiting" if plan.waiting else "")]


def by_why(waiting: Iterable[WaitingTask]) -> dict[str, list[str]]:
    """Return the stacks that wait, by what they wait for."""
    grouped: dict[str, list[str]] = defaultdict(list)
    for one in waiting:
        grouped[one.why].append(one.task.unit or FOUNDATION)
    return grouped
