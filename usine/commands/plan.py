"""`usine plan`: shows what the tenant files would create, offline."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from model.problems import START, Problem, SpecError
from model.reading.catalogue import FOLDER, read_catalogue
from model.reading.load import check_text
from model.reading.settings_load import load_settings
from model.settings import System
from model.tenant import State, Tenant
from policy.config import config_of, read_config
from policy.registry import POLICIES, Setting
from usine.commands.common import ROOT, Platform, add_platform_arguments, read_platform, report_problems
from usine.plan import Plan, make_plan
from usine.plan.policies import check_plan, lines, refuses
from usine.plan.scope import PlanScope, load_scope

#: The folder of the policy pack, which also has the configuration of each platform.
PACK = "policy"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "plan",
        help="show everything the tenant files would create, offline",
        description="Run the program on mocks, in this process: no engine, no credential, no network.",
    )
    add_platform_arguments(parser)
    parser.add_argument(
        "--json", metavar="FILE", type=Path, help="write the full graph to this file; - for standard output"
    )
    parser.add_argument(
        "--scope",
        metavar="FILE",
        type=Path,
        help='plan and read only these tenants: {"tenants": [SLUG], "people": [USER NAME] or null (theirs)}',
    )
    parser.add_argument(
        "--policy",
        action="store_true",
        help="run the policy pack on the plan, with policy/<stack>.json; exit 1 when a mandatory policy is violated",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the plan and show it."""
    people: frozenset[str] | None = None
    policies: Mapping[str, Setting] = {}
    try:
        if args.scope is None:
            platform = read_platform(args)
        else:
            scope = _read_scope(args.scope)
            people = scope.people
            platform = _read_part(args, scope)
        config = config_of(ROOT / PACK, platform.settings.stack) if args.policy else None
        if config is not None:
            policies = read_config(config)
    except SpecError as error:
        return report_problems(error)
    plan = make_plan(platform.settings, platform.tenants, platform.catalogue, people)
    if args.json == Path("-"):
        sys.stdout.write(plan.dumps())
    elif args.json is not None:
        try:
            args.json.write_text(plan.dumps(), encoding="utf-8")
        except OSError as error:
            print(f"usine plan: {args.json}: {error.strerror}", file=sys.stderr)
            return 1
    if args.json != Path("-"):
        _show(plan, platform)
    return _judge(plan, policies) if args.policy else 0


def _judge(plan: Plan, policies: Mapping[str, Setting]) -> int:
    """Run the policies on a plan, print the violations, and return the exit code."""
    found = check_plan(plan, policies)
    for line in lines(found):
        print(line, file=sys.stderr)
    refused = refuses(found)
    print(f"{len(POLICIES)} policies: {'refused' if refused else 'all mandatory ones hold'}", file=sys.stderr)
    return 1 if refused else 0


def _read_scope(path: Path) -> PlanScope:
    """Read a scope. Raises SpecError."""
    try:
        return load_scope(path.read_bytes())
    except OSError as error:
        raise SpecError([Problem(str(path), *START, f"scope: {error.strerror}")]) from None
    except ValueError as error:
        raise SpecError([Problem(str(path), *START, str(error))]) from None


def _read_part(args: argparse.Namespace, scope: PlanScope) -> Platform:
    """Read settings, catalogue and only the tenants of the scope; checks across tenants are left out.

    Raises SpecError.
    """
    settings = load_settings(args.settings)
    folder = args.projects or args.settings.parent / settings.projects
    problems: list[Problem] = []
    tenants: list[Tenant] = []
    for slug in sorted(scope.tenants):
        source = folder / f"{slug}.yaml"
        try:
            tenants.append(check_text(source.read_bytes(), str(source), settings))
        except OSError as error:
            problems.append(Problem(str(source), *START, f"scope: {error.strerror}"))
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return Platform(settings, tuple(tenants), read_catalogue(ROOT / FOLDER, settings))


def _show(plan: Plan, platform: Platform) -> None:
    states = {tenant.slug: tenant.state for tenant in platform.tenants}
    Console().print(table(plan, states))


#: Headings on two lines, for a table of eighty columns.
_HEADINGS = {
    System.KEYCLOAK.value: "key-\ncloak",
    System.KUBERNETES.value: "kuber-\nnetes",
    System.OBSERVABILITY.value: "observ-\nability",
}


def table(plan: Plan, states: Mapping[str, State]) -> Table:
    """Return a table with the number of objects of each tenant in each system; `states` has every tenant.

    On a narrow terminal a long slug takes two lines: no heading and no number is cut.
    """
    counts, systems = plan.counts(), plan.systems
    rows = Table(title=f"Objects of {len(states)} tenants", box=SIMPLE_HEAD, padding=0)
    rows.add_column("tenant", overflow="fold")
    for system in (*systems, "total"):
        rows.add_column(_HEADINGS.get(system, system), justify="right", no_wrap=True)
    for tenant, row in sorted(counts.items(), key=lambda item: item[0] or ""):
        state = states.get(tenant or "", State.ACTIVE)
        name = tenant or "(foundation)"
        cells = [str(row.get(system, "")) for system in systems]
        rows.add_row(name if state is State.ACTIVE else f"{name}\n({state})", *cells, str(sum(row.values())))
    rows.add_section()
    totals = [sum(row.get(system, 0) for row in counts.values()) for system in systems]
    rows.add_row("total", *map(str, totals), str(sum(totals)), style="bold")
    return rows
