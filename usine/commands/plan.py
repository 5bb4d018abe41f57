"""`usine plan`: what the tenant files would become, offline."""

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
from model.tenant import State, Tenant
from policy.config import config_of, read_config
from policy.registry import POLICIES, Setting
from usine.commands.common import ROOT, Platform, add_platform_arguments, read_platform, report_problems
from usine.plan import Plan, make_plan
from usine.plan.policies import check_plan, lines, refuses
from usine.plan.scope import Scope, load_scope

#: The folder of the policy pack, which also holds what each platform sets for it.
PACK = "policy"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "plan",
        help="show everything the tenant files would become, offline",
        description="Run the program on mocks, in this process: no engine, no credential, no network.",
    )
    add_platform_arguments(parser)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the full graph there; - for standard output")
    parser.add_argument(
        "--scope",
        metavar="FILE",
        type=Path,
        help='plan a part, read no other tenant: {"tenants": [SLUG], "people": [USER NAME] or null (theirs)}',
    )
    parser.add_argument(
        "--policy",
        action="store_true",
        help="run the policy pack over it, as policy/<stack>.json sets it; exit 1 unless every mandatory policy holds",
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
    plan = make_plan(platform.settings, platform.projects, platform.catalogue, people)
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
    """Run the policies over a plan, say what does not hold, and return the exit code."""
    found = check_plan(plan, policies)
    for line in lines(found):
        print(line, file=sys.stderr)
    refused = refuses(found)
    print(f"{len(POLICIES)} policies: {'refused' if refused else 'all mandatory ones hold'}", file=sys.stderr)
    return 1 if refused else 0


def _read_scope(path: Path) -> Scope:
    """Read a scope. Raises SpecError."""
    try:
        return load_scope(path.read_bytes())
    except OSError as error:
        raise SpecError([Problem(str(path), *START, f"scope: {error.strerror}")]) from None
    except ValueError as error:
        raise SpecError([Problem(str(path), *START, str(error))]) from None


def _read_part(args: argparse.Namespace, scope: Scope) -> Platform:
    """Read settings, catalogue and the scope's tenants alone; what holds across tenants is not checked.

    Raises SpecError.
    """
    settings = load_settings(args.settings)
    folder = args.projects or args.settings.parent / settings.projects
    problems: list[Problem] = []
    projects: list[Tenant] = []
    for slug in sorted(scope.tenants):
        source = folder / f"{slug}.yaml"
        try:
            projects.append(check_text(source.read_bytes(), str(source), settings))
        except OSError as error:
            problems.append(Problem(str(source), *START, f"scope: {error.strerror}"))
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return Platform(settings, tuple(projects), read_catalogue(ROOT / FOLDER, settings))


def _show(plan: Plan, platform: Platform) -> None:
    states = {project.slug: project.state for project in platform.projects}
    Console().print(table(plan, states))


def table(plan: Plan, states: Mapping[str, State]) -> Table:
    """Return tenants by systems, in numbers of objects; `states` has every tenant.

    On a narrow terminal a long slug goes over two lines: no head and no number is ever cut.
    """
    counts, systems = plan.counts(), plan.systems
    rows = Table(title=f"What {len(states)} projects become, in objects", box=SIMPLE_HEAD, padding=0)
    rows.add_column("tenant", overflow="fold")
    for system in (*systems, "total"):
        rows.add_column(system, justify="right", no_wrap=True)
    for tenant, row in sorted(counts.items(), key=lambda item: item[0] or ""):
        state = states.get(tenant or "", State.ACTIVE)
        name = tenant or "(foundation)"
        cells = [str(row.get(system, "")) for system in systems]
        rows.add_row(name if state is State.ACTIVE else f"{name}\n({state})", *cells, str(sum(row.values())))
    rows.add_section()
    totals = [sum(row.get(system, 0) for row in counts.values()) for system in systems]
    rows.add_row("total", *map(str, totals), str(sum(totals)), style="bold")
    return rows
