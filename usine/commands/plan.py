"""`usine plan`: what the tenant files would become, offline."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from usine.commands.common import Platform, add_platform_arguments, read_platform, report_problems
from usine.plan import Plan, make_plan
from usine.spec.problems import SpecError


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "plan",
        help="show everything the tenant files would become, offline",
        description="Run the program on mocks, in this process: no engine, no credential, no network.",
    )
    add_platform_arguments(parser)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the full graph there; - for standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the plan and show it."""
    try:
        platform = read_platform(args)
    except SpecError as error:
        return report_problems(error)
    plan = make_plan(platform.settings, platform.projects, platform.catalogue)
    if args.json == Path("-"):
        sys.stdout.write(plan.dumps())
        return 0
    if args.json is not None:
        try:
            args.json.write_text(plan.dumps(), encoding="utf-8")
        except OSError as error:
            print(f"usine plan: {args.json}: {error.strerror}", file=sys.stderr)
            return 1
    _show(plan, platform)
    return 0


def _show(plan: Plan, platform: Platform) -> None:
    counts, systems = plan.counts(), plan.systems
    table = Table(title=f"What {len(platform.projects)} projects become, in objects")
    table.add_column("tenant")
    table.add_column("state")
    for system in systems:
        table.add_column(system, justify="right")
    table.add_column("total", justify="right")
    states = {project.slug: project.state.value for project in platform.projects}
    for tenant, row in sorted(counts.items(), key=lambda item: item[0] or ""):
        cells = [str(row.get(system, "")) for system in systems]
        table.add_row(tenant or "(foundation)", states.get(tenant or "", ""), *cells, str(sum(row.values())))
    table.add_section()
    totals = [sum(row.get(system, 0) for row in counts.values()) for system in systems]
    table.add_row("total", "", *map(str, totals), str(sum(totals)), style="bold")
    Console().print(table)
