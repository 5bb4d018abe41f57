"""`usine up`: `pulumi up` with the checks before, recovery of a killed run, progress, and a report by system."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from usine.commands.common import ROOT, Platform, add_settings_argument, read_platform, report_problems
from usine.commands.stack_environment import StackEnvironment, stack_environment
from usine.engine.cli import Engine, EngineError
from usine.engine.lookup import Finder
from usine.engine.recover import Recovery, adopt_late, recover, release_dead_lock
from usine.engine.report import ACTIONS, RunReport
from usine.engine.run import Outcome, up
from usine.spec.problems import SpecError
from usine.spec.settings import Settings, System
from usine.spec.settings_load import load_settings

_LOG = Path("out") / "up.log"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "up",
        help="make the platform what the tenant files say",
        description="Check every file, settle what a killed run left, run `pulumi up`, and report by system. "
        "A failing system does not stop the others. Plain `pulumi up` does the same without check and recovery.",
    )
    add_settings_argument(parser)
    parser.add_argument("--stack", default="lab", help="stack to run (default: %(default)s)")
    parser.add_argument("--expect-no-changes", action="store_true", help="exit 1 if anything had to be changed")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the whole sequence; exit code 0 when everything was applied."""
    console = Console()
    try:
        platform = read_platform(args)
    except SpecError as error:
        return report_problems(error)
    try:
        where = stack_environment(args.stack, args.settings)
        engine = Engine(ROOT, args.stack, where.variables, where.config_file)
        # The local platform's copy of the settings has the ports it really uses.
        settings = load_settings(where.config_file)
        finder = _finder(settings, where)
        settled = _prepare(engine, finder, console)
        outcome = _watch(engine, platform, console)
        failed = {failure.address.urn for failure in outcome.report.failures if failure.address}
        late = adopt_late(engine, finder, [r for r in settled.forgotten if r["urn"] in failed])
        if late:
            _tell("adopted what a killed run had created after all", late, console)
            outcome = _watch(engine, platform, console)
    except EngineError as error:
        print(f"usine up: {error}", file=sys.stderr)
        return 1
    _show(outcome.report, settings, console)
    return _conclude(outcome, console, expect_no_changes=args.expect_no_changes)


def _finder(settings: Settings, where: StackEnvironment) -> Finder:
    endpoints = {
        system: replace(endpoint, ca=endpoint.ca and ROOT / endpoint.ca)
        for system, endpoint in settings.endpoints.items()
    }
    return Finder(endpoints, where.variables)


def _prepare(engine: Engine, finder: Finder, console: Console) -> Recovery:
    owner = release_dead_lock(engine)
    if owner:
        console.print(f"released the lock of a run that is gone ({owner})")
    engine.ensure_stack()
    settled = recover(engine, finder)
    _tell("adopted what a killed run had created", settled.adopted, console)
    _tell("took away what a killed run had created, whose secret is lost", settled.removed, console)
    _tell("a killed run had not got to create", [resource["urn"] for resource in settled.forgotten], console)
    return settled


def _tell(what: str, urns: Iterable[str], console: Console) -> None:
    for urn in urns:
        console.print(f"{what}: {urn.rsplit('::', 1)[-1]}", markup=False, soft_wrap=True)


def _watch(engine: Engine, platform: Platform, console: Console) -> Outcome:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console.print(f"pulumi up: {len(platform.projects)} projects (engine's output: {_LOG})")
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("planning", total=None)

        def on_progress(planned: int, settled: int) -> None:
            if settled:
                progress.update(task, description="applying", total=planned, completed=settled)
            else:
                progress.update(task, completed=planned)

        return up(engine, engine.root / _LOG, on_progress)


def _show(report: RunReport, settings: Settings, console: Console) -> None:
    table = Table(title=f"pulumi up: {report.seconds} s")
    table.add_column("system")
    for action in ACTIONS:
        table.add_column(action, justify="right")
    table.add_column("failed", justify="right")
    for system in System:
        counter = report.done.get(system.value)
        failed = sum(1 for f in report.failures if f.address and f.address.system == system)
        if counter is not None or failed:
            cells = [str(counter[action] or "") if counter else "" for action in ACTIONS]
            table.add_row(system.value, *cells, str(failed or ""))
    console.print(table)
    for system in System:
        if settings.on(system):
            console.print(f"  {system.value:<11} {_login_page(settings, system)}", markup=False, highlight=False)


def _login_page(settings: Settings, system: System) -> str:
    if system is System.KUBERNETES:
        return ", ".join(sorted({cluster.server for cluster in settings.clusters.values()}))
    url = settings.endpoints[system].url
    if system is System.KEYCLOAK:
        return f"{url}/realms/{settings.keycloak.realm}/account"
    return f"{url}/ui" if system is System.VAULT else url


def _conclude(outcome: Outcome, console: Console, *, expect_no_changes: bool) -> int:
    report = outcome.report
    if report.failures or outcome.exit_code != 0:
        for failure in report.failures:
            console.print(
                f"failed: {failure.address.name if failure.address else 'the run'}: {failure.message}", markup=False
            )
        if report.tenants_touched:
            systems, tenants = ", ".join(report.systems_touched), ", ".join(report.tenants_touched)
            console.print(f"{systems} failed for: {tenants}. Everything else was applied; run again when it is mended.")
        console.print(f"the engine's own output is in {_LOG}")
        return 1
    changes = sum(report.count(action) for action in ACTIONS if action != "same")
    console.print("no changes" if changes == 0 else f"{changes} changes applied")
    return 1 if changes and expect_no_changes else 0
