"""What the commands that run the engine share: opening a stack, recovery, arguments, report files."""

from __future__ import annotations

import argparse
import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.problems import Problem, SpecError
from model.reading.settings_load import load_settings
from model.settings import FoundationMode, Settings, System
from model.tenant import State
from pulumi_facts.urns import name_of
from usine.clients.connections import below
from usine.commands.common import ROOT, Platform, read_platform, read_waivers_beside
from usine.commands.stack_environment import LAB_STACK, stack_environment
from usine.engine.catalogue_version import check_catalogue_version
from usine.engine.cli import Engine, EngineError
from usine.engine.forge_version import check_forge_version
from usine.engine.guarded import Guardrails
from usine.engine.lock import HeldLock
from usine.engine.lookup import Finder
from usine.engine.plugins import check_plugins
from usine.engine.recover import Recovery, recover, release_dead_lock
from usine.engine.registry_login import check_registry_login
from usine.engine.run import OnProgress
from usine.engine.storage import NoStorageError, state_storage
from usine.engine.takeover import check_namespaces
from usine.fleet.records import Records
from usine.report import as_json, html, markdown
from usine.report.model import Notice, Report
from usine.rules import Change, check
from usine.rules.mass_removal import parse_allowance
from usine.rules.reading import allowances

_DURATION = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smh])")
_RUN_ID = re.compile(r"[A-Za-z0-9-]{1,40}")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


@dataclass(frozen=True, slots=True)
class OpenStack:
    """A stack ready for its engine. `settings` are those of the engine: the local platform has its own ports.

    `notices` are those of rules about the tenants as they are, `allowed` how many objects of a kind waivers let go.
    """

    platform: Platform
    settings: Settings
    engine: Engine
    finder: Finder
    notices: tuple[Notice, ...] = ()
    allowed: Mapping[str, int] = field(default_factory=dict)

    @property
    def archived(self) -> frozenset[str]:
        """The tenants with `state: archived`."""
        return frozenset(p.slug for p in self.platform.tenants if p.state is State.ARCHIVED)


def open_stack(args: argparse.Namespace, *, any_layout: bool = False) -> OpenStack:
    """Check every file and prepare the engine. Raises SpecError, and EngineError when the stack cannot run.

    `any_layout`: the command changes nothing, so that the stack may have been moved to another layout.
    """
    platform = read_platform(args)
    today = datetime.datetime.now(datetime.UTC).date()
    waivers = read_waivers_beside(args.settings, platform.settings, today)
    notices = check(Change.of_fleet(platform.settings, platform.tenants, today, waivers))
    where = stack_environment(args.stack, args.settings)
    engine = Engine(ROOT, args.stack, where.variables, where.config_file)
    settings = load_settings(where.config_file)
    if not any_layout:
        _refuse_one_stack_of_a_fleet(engine, settings)
    if settings.on(System.KUBERNETES):
        check_plugins(engine)
    finder = Finder(below(ROOT, settings.endpoints), where.variables)
    return OpenStack(platform, settings, engine, finder, notices, allowances(waivers, today))


def _refuse_one_stack_of_a_fleet(engine: Engine, settings: Settings) -> None:
    """Raise EngineError if the run would create again, in one stack, what the stacks of tenants have."""
    if settings.foundation is FoundationMode.INCLUDE and units_with_stacks(engine):
        raise EngineError(
            f"the tenants of {engine.stack} have stacks of their own: use `usine fleet`, or `usine move --to one`"
        )


def units_with_stacks(engine: Engine) -> tuple[str, ...]:
    """Return the units of the fleet that have a stack beside this one, sorted. Raises EngineError."""
    try:
        return Records(state_storage(engine.environment), engine.stack).units()
    except NoStorageError:
        return ()


def recover_stack(stack: OpenStack, lock: HeldLock, say: Callable[[str], None]) -> Recovery:
    """Release the engine's lock of an interrupted run and complete its operations. Raises EngineError."""
    owner = release_dead_lock(stack.engine, lock.predecessor)
    if owner:
        say(f"released the engine's lock of an interrupted run ({owner})")
    recovery = recover(stack.engine, stack.finder, stack.engine.ensure_stack())
    for what, urns in (
        ("adopted an object that an interrupted run had created", recovery.adopted),
        ("deleted an object that an interrupted run had created, because its secret is lost", recovery.removed),
        ("an interrupted run had not created", [resource["urn"] for resource in recovery.forgotten]),
    ):
        tell(what, urns, say)
    return recovery


def make_guardrails(stack: OpenStack, args: argparse.Namespace, log: Path, on_progress: OnProgress) -> Guardrails:
    """Return the limits and options of a run, from the arguments of `add_run_arguments`."""
    return Guardrails(
        settings=stack.settings,
        log=log,
        archived=stack.archived,
        allowed={**stack.allowed, **dict(args.allow_removals)},
        targets=tuple(args.target),
        refresh=args.refresh,
        on_progress=on_progress,
        on_state=judge_systems(stack),
    )


def judge_systems(stack: OpenStack) -> Callable[[Mapping[str, Any]], tuple[Notice, ...]]:
    """Return a function that returns the reasons of the systems to refuse a run, given the state before it."""

    def judge(checkpoint: Mapping[str, Any]) -> tuple[Notice, ...]:
        settings, environment = stack.settings, stack.engine.environment
        return (
            *check_namespaces(settings, stack.platform.tenants, environment, checkpoint),
            *check_registry_login(settings, environment, checkpoint),
            *check_forge_version(settings, environment),
            *check_catalogue_version(settings, environment),
        )

    return judge


def facts(stack: OpenStack, lock: HeldLock) -> tuple[tuple[str, str], ...]:
    """Return the facts about a run for its report."""
    owner = lock.owner
    return (
        ("stack", stack.engine.stack),
        ("by", owner.user + (f" ({owner.job.url})" if owner.job else "")),
        ("commit", owner.commit or "none"),
        ("began", f"{owner.since:%Y-%m-%d %H:%M:%S} UTC"),
        ("tenants", str(len(stack.platform.tenants))),
    )


def tell(what: str, urns: Iterable[str], say: Callable[[str], None]) -> None:
    """Print a line for each resource."""
    for urn in urns:
        say(f"{what}: {name_of(urn)}")


def add_stack_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--stack`."""
    parser.add_argument("--stack", default=LAB_STACK, help="stack to run (default: %(default)s)")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of both `up` and `preview`: targets, allowed removals, reports."""
    add_allowance_argument(parser)
    parser.add_argument("--target", metavar="URN", action="append", default=[], help="only this resource; repeatable")
    parser.add_argument("--refresh", action="store_true", help="read the live objects from the systems first")
    add_report_arguments(parser)


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Add an option for each form of a report."""
    for form in _FORMS:
        parser.add_argument(
            f"--{form}", metavar="FILE", type=Path, help=f"write the report to this file, as {form.upper()}"
        )


def add_allowance_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--allow-removals`."""
    parser.add_argument(
        "--allow-removals",
        metavar="KIND=N",
        type=_allowance,
        action="append",
        default=[],
        help="allow this run to remove N objects of a kind: tenant=3, vault:index/policy:Policy=12; repeatable",
    )


def run_id(text: str) -> str:
    """Parse the id of a run, such as that of a pipeline. Raises argparse.ArgumentTypeError."""
    if not _RUN_ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected up to 40 letters, digits and dashes, found {text!r}")
    return text


def add_wait_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--wait`, for commands that take the run lock."""
    parser.add_argument(
        "--wait",
        metavar="DURATION",
        type=duration,
        default=datetime.timedelta(),
        help="time to wait for another run to end, such as 30s, 10m or 1h (default: do not wait)",
    )


_FORMS: dict[str, Callable[[Report], str]] = {
    "json": as_json.render,
    "html": html.render,
    "markdown": lambda report: markdown.render(report, marker=f"usine:{report.kind}"),
}


def write_reports(report: Report, args: argparse.Namespace) -> None:
    """Write the report files that the arguments ask for. Raises SpecError with the files that cannot be written."""
    write_files({path: _FORMS[form](report) for form in _FORMS if (path := getattr(args, form)) is not None})


def write_files(texts: dict[Path, str]) -> None:
    """Write files and create their folders. Raises SpecError with the files that cannot be written."""
    problems = []
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            problems.append(Problem(str(path), 1, 1, f"cannot be written: {error.strerror}"))
    if problems:
        raise SpecError(problems)


def _allowance(text: str) -> tuple[str, int]:
    try:
        return parse_allowance(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def duration(text: str) -> datetime.timedelta:
    """Parse a duration of the command line: ``30s``, ``10m``, ``1h``. Raises argparse.ArgumentTypeError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"expected a duration such as 30s, 10m or 1h, found {text!r}")
    return datetime.timedelta(**{_UNITS[match["unit"]]: int(match["number"])})
