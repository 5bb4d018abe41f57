"""What the actions of `usine fleet` share: reading the platform, its stacks and their records."""

from __future__ import annotations

import argparse
import datetime
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from model.reading.settings_load import load_settings
from model.settings import FoundationMode, Settings
from model.tenant import State
from model.texts import enumerate_words
from model.units import of_another_layout
from model.waves import Pin
from usine.commands.common import ROOT, Platform, add_settings_argument, read_platform
from usine.commands.engine_stack import OpenStack, add_stack_argument, open_stack
from usine.commands.stack_environment import stack_environment
from usine.engine.cli import Engine, EngineError
from usine.engine.storage import NoStorageError, state_storage
from usine.fleet.inputs import read_inputs
from usine.fleet.layout import Layout
from usine.fleet.planning import FleetPlan, make_fleet_plan
from usine.fleet.records import Inputs, Records, RunRecord, ScanRecord, digest_of_state
from usine.fleet.running import FleetJob
from usine.fleet.versions import Checkouts, Pinned, Version
from usine.fleet.waves import Rollout
from usine.report.ids import NoticeId
from usine.report.model import FOUNDATION, Report

#: The settings files, reports and logs of stacks, in a folder per stack.
FOLDER = Path("out") / "fleet"
#: The settings files of commands that act on one stack of a fleet.
BESIDE = Path("out") / "stacks"
#: The checkouts of versions that tenants are pinned to.
VERSIONS = FOLDER / "versions"
#: How long a stack waits for another run of the same stack.
WAIT = "10m"
#: How many stacks a message names.
_SHOWN = 5
_NUMBER = re.compile(r"[1-9][0-9]{0,6}")


@dataclass(frozen=True)
class Fleet:
    """A checked platform with its stacks. `settings` are those of the engine, `variables` is its environment.

    `source` is the settings file that the command line names.
    """

    platform: Platform
    settings: Settings
    layout: Layout
    records: Records
    source: Path
    variables: Mapping[str, str] = field(repr=False)

    @cached_property
    def active(self) -> frozenset[str]:
        """The tenants that have a file, without those with `state: archived`."""
        return frozenset(t.slug for t in self.platform.tenants if t.state is not State.ARCHIVED)

    def active_of(self, unit: str | None) -> tuple[str, ...]:
        """Return the tenants of a unit that have a file and are not archived."""
        return tuple(slug for slug in self.layout.tenants_of(unit) if slug in self.active)

    def runs(self) -> dict[str | None, RunRecord]:
        """Return the last run of each stack. Raises EngineError as `check_layout` does."""
        runs = self.records.runs()
        self.check_layout(runs)
        return runs

    def check_layout(self, units: Collection[str | None]) -> None:
        """Raise EngineError if stacks of these units are not those of the settings.

        Another number of shards would create every tenant a second time.
        """
        if others := of_another_layout(units, self.layout.shards):
            shards = "no usine:fleet.shards" if self.layout.shards is None else f"{self.layout.shards} shards"
            raise EngineError(
                f"the settings have {shards}, but there are the stacks {enumerate_words(others, _SHOWN)}: give "
                "usine:fleet.shards its earlier value, and read docs/fleet-layouts.md"
            )

    @property
    def checkouts(self) -> Checkouts:
        """The checkouts of versions."""
        return Checkouts(ROOT, ROOT / VERSIONS, self.source, self.layout)

    @cached_property
    def pins(self) -> Mapping[str, Pin]:
        """The tenants that are pinned today."""
        today = datetime.datetime.now(datetime.UTC).date()
        return {t.slug: t.pin for t in self.platform.tenants if t.pin is not None and t.pin.until >= today}

    @cached_property
    def pinned(self) -> Pinned:
        """The same, with the checkouts of their versions."""
        return Pinned.read(self.pins, self.settings.fleet.versions, self.checkouts)

    def engine(self, unit: str | None) -> Engine:
        """Return the engine of a stack."""
        return Engine(ROOT, self.layout.stack(unit), self.variables, None)

    def foundation_ids(self) -> str:
        """Return the digest of the ids of the foundation's objects."""
        try:
            return digest_of_state(self.engine(None).export_state())
        except EngineError:
            return ""  # another digest than before: each tenant is run

    def inputs(self, foundation: RunRecord | None) -> dict[str | None, Inputs]:
        """Return the digests of all stacks; `foundation` is the last run of the foundation. Raises EngineError."""
        return self.pinned.inputs(read_inputs(ROOT, self.layout, self.settings, self.platform.tenants, foundation))

    def rollout(
        self,
        inputs: Mapping[str | None, Inputs],
        runs: Mapping[str | None, RunRecord],
        scans: Mapping[str | None, ScanRecord],
    ) -> Rollout:
        """Return how far the platform's change has come."""
        return Rollout(
            self.settings.fleet,
            inputs,
            runs,
            scans,
            {tenant.slug: tenant.hold for tenant in self.platform.tenants if tenant.hold is not None},
            datetime.datetime.now(datetime.UTC),
            self.layout.units,
            self.pins.keys(),
            self.records.probes() if any(wave.probe for wave in self.settings.fleet.waves) else {},
        )

    def plan(
        self,
        runs: Mapping[str | None, RunRecord],
        inputs: Mapping[str | None, Inputs] | None = None,
        *,
        every: bool = False,
        waits: bool = True,
    ) -> FleetPlan:
        """Return the stacks that need a run after these; `waits`: with holds and waves. Raises EngineError.

        `inputs` are the digests of all stacks, if they were read already.
        """
        if inputs is None:
            inputs = self.inputs(runs.get(None))
        plan = make_fleet_plan(inputs, runs, every=every)
        if waits:
            scanned = self.settings.fleet.waves and self.settings.fleet.scanned
            plan = self.rollout(inputs, runs, self.records.scans() if scanned else {}).apply_to(plan)
        return self.pinned.apply_to(plan)

    def job(
        self,
        unit: str | None,
        last: RunRecord | None,
        command: str,
        *arguments: str,
        version: Version | None = None,
    ) -> FleetJob:
        """Return a command on a stack with this last run; writes the stack's settings file.

        `version` runs it in its checkout, None in this one. Raises EngineError, OSError.
        """
        salt = "" if last is None else last.salt
        if version is None or unit is None:
            settings = self.layout.write(unit, salt, alone=command in {"up", "preview"})
        else:
            settings = version.write(unit, salt)
        report = settings.with_name(f"{command}.json")
        return FleetJob(
            unit,
            (
                command,
                *("--stack", self.layout.stack(unit), "--settings", str(settings), "--json", str(report)),
                *arguments,
            ),
            settings,
            report,
            settings.with_name(f"{command}.log"),
            *(() if version is None else (version.root, version.python)),
        )


def open_fleet(args: argparse.Namespace) -> Fleet:
    """Check every file, and find the stacks. Raises SpecError, and EngineError when records cannot be kept."""
    platform = read_platform(args)
    where = stack_environment(args.stack, args.settings)
    settings = load_settings(where.config_file)
    try:
        storage = state_storage(where.variables)
    except NoStorageError as error:
        raise EngineError(f"a fleet keeps its records beside the state, but {error}") from None
    layout = _layout(args, platform, where.config_file, ROOT / FOLDER)
    return Fleet(platform, settings, layout, Records(storage, args.stack), args.settings, where.variables)


def open_stack_of(args: argparse.Namespace, slug: str | None) -> OpenStack:
    """Open the stack with the objects of a tenant, or of the foundation (None): in a fleet, one of its own.

    Raises SpecError and EngineError.
    """
    stack = open_stack(args, any_layout=True)
    engine = stack.engine
    if stack.settings.foundation is not FoundationMode.INCLUDE or engine.config_file is None:
        return stack
    try:
        records = Records(state_storage(engine.environment), engine.stack)
    except NoStorageError:
        return stack
    if not records.units():
        return stack
    # Not in the folder of the fleet: a run of the same stack may read its files there until its lock is free.
    layout = _layout(args, stack.platform, engine.config_file, ROOT / BESIDE)
    unit = None if slug is None else layout.unit_of(slug)
    last = records.run(unit)
    if last is None:
        raise EngineError(f"{slug or FOUNDATION} has no stack in the fleet {engine.stack}: see `usine fleet status`")
    file = layout.write(unit, last.salt, alone=True)
    own = replace(engine, stack=layout.stack(unit), config_file=file)
    return replace(stack, settings=load_settings(file), engine=own)


def _layout(args: argparse.Namespace, platform: Platform, file: Path, folder: Path) -> Layout:
    """Return the stacks of a platform; `file` is the settings file that the engine reads, `folder` is for theirs."""
    projects = (args.settings.parent / platform.settings.projects).resolve()
    slugs = [tenant.slug for tenant in platform.tenants]
    return Layout.read(args.stack, file, projects, folder, slugs, platform.settings.fleet.shards)


def add_fleet_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--settings` and `--stack`."""
    add_settings_argument(parser)
    add_stack_argument(parser)


def add_workers_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--workers`."""
    parser.add_argument("--workers", metavar="N", type=positive, default=2, help="stacks at a time (default: 2)")


def positive(text: str) -> int:
    """Parse a number of the command line, at least 1. Raises argparse.ArgumentTypeError."""
    if not _NUMBER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text!r}")
    return int(text)


def print_report(report: Report) -> None:
    """Print what concerns whole stacks, and the verdict; the report's files have every object."""
    for notice in report.notices:
        if notice.rule == NoticeId.FLEET:
            print(f"{notice.severity.value}: {notice.text}\n  {notice.remedy}")
    print(report.verdict)
