"""`usine move`: move the objects of tenants between one stack and the stacks of a fleet."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from model.problems import SpecError
from model.settings import FoundationMode, Settings
from model.texts import enumerate_words
from model.units import units_of, with_tenants
from pulumi_facts.checkpoint import resources_of
from stacks.platform.providers import provider_names
from usine.commands.common import ROOT, report_problems
from usine.commands.engine_stack import add_wait_argument
from usine.commands.fleet_open import Fleet, add_fleet_arguments, add_workers_argument, open_fleet
from usine.commands.fleet_plan import lines_of
from usine.engine.cli import EngineError
from usine.engine.lock import HeldLock, hold
from usine.engine.moving import MoveTarget, read_journal
from usine.engine.recover import release_dead_lock
from usine.engine.sources import commit_of
from usine.fleet.planning import make_fleet_plan
from usine.fleet.records import Inputs, Result, RunRecord, digest_of_state
from usine.fleet.report import why_of
from usine.fleet.running import Done, FleetJob, Workers
from usine.move.states import Checkpoint, MoveError, emptied, objects_of, salt_of, secrets_of, tenants_of
from usine.move.steps import Move
from usine.report.ids import NoticeId
from usine.report.model import FOUNDATION
from usine.report.words import plural

_EPILOG = """\
exit code: 0 moved, 1 refused or undone: all states are as before, 130 interrupted. Run it again to continue a move that
was interrupted; until then no other run acts on these stacks.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "move",
        help="move tenants between one stack and the stacks of a fleet",
        description="Move the objects of all tenants from one stack to a stack per tenant or shard (`usine fleet`), or "
        "back. Only states change, no object in a system: before and after, the engine must plan no change.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_fleet_arguments(parser)
    parser.add_argument(
        "--to",
        required=True,
        choices=[target.value for target in MoveTarget],
        help="fleet: a stack per tenant, or usine:fleet.shards stacks; one: the stack of the foundation",
    )
    add_workers_argument(parser)
    add_wait_argument(parser)
    parser.add_argument("--dry-run", action="store_true", help="show the stacks and their objects, and change nothing")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run all steps; see the epilog for the exit code."""
    target = MoveTarget(args.to)
    try:
        fleet = open_fleet(args)
        _refuse_parts(fleet.settings)
        _refuse_pins(fleet)
        slugs = _slugs(fleet, target)
        show_plan(fleet, target, slugs)
        if args.dry_run:
            return 0
        with _locked(fleet, units_of(slugs, fleet.layout.shards), args.wait) as locks:
            moved = _Files(fleet, args, EngineStates(fleet, locks), fleet.inputs(None)).move(target, slugs)
    except SpecError as error:
        return report_problems(error)
    except (EngineError, MoveError, OSError) as error:
        print(f"usine move: {error}", file=sys.stderr)
        return 1
    print("\n".join(_lines(fleet, moved)))
    print("next: " + ("usine fleet plan" if target is MoveTarget.FLEET else "usine up") + f" --stack {args.stack}")
    return 0


def _refuse_parts(settings: Settings) -> None:
    if settings.foundation is not FoundationMode.INCLUDE or settings.tenants is not None:
        raise EngineError("the settings file has usine:foundation or usine:tenants: name that of the whole platform")


def _refuse_pins(fleet: Fleet) -> None:
    """Raise EngineError if tenants are pinned: the previews of a move are those of the present version."""
    if pinned := sorted(fleet.pins):
        raise EngineError(f"tenants are pinned to another version: {enumerate_words(pinned)}: remove `pin` first")


def _slugs(fleet: Fleet, target: MoveTarget) -> Sequence[str]:
    """Return the tenants to move: all. Raises EngineError if files and stacks do not have the same ones."""
    journal = read_journal(fleet.records.storage, fleet.layout.base)
    if journal is not None:
        return journal.slugs
    if target is MoveTarget.FLEET:
        slugs = tenants_of(fleet.engine(None).export_state())
        known = {tenant.slug for tenant in fleet.platform.tenants}
        if gone := sorted(set(slugs) - known):
            raise EngineError(f"apply all changes first: the stack has tenants without a file: {', '.join(gone)}")
        return slugs
    runs = fleet.runs()
    plan = make_fleet_plan(fleet.inputs(runs.get(None)), runs)
    if plan.tasks:
        raise EngineError("\n".join(["apply all changes first, with `usine fleet up`", *lines_of(plan)]))
    return sorted(tenant.slug for tenant in fleet.platform.tenants)


def show_plan(fleet: Fleet, target: MoveTarget, slugs: Sequence[str]) -> None:
    """Print where the objects are, and where they go."""
    base, units = fleet.layout.base, units_of(slugs, fleet.layout.shards)
    name = "SLUG" if fleet.layout.shards is None else f"K-of-{fleet.layout.shards}"
    others = f"{plural(len(units), 'stack')} {base}.{name}"
    print(f"from the stack {base} to {others}" if target is MoveTarget.FLEET else f"from {others} to the stack {base}")
    counts: Counter[str] = objects_of(fleet.engine(None).export_state())
    if target is MoveTarget.ONE:
        print(f"  {base}: {plural(sum(counts.values()), 'object')}")
        return
    print(f"  {FOUNDATION}: {plural(counts[''], 'object')}")
    for unit in sorted(units):
        number = sum(counts[slug] for slug in units[unit])
        print(f"  {with_tenants(unit, units, FOUNDATION)}: {plural(number, 'object')}")


@contextmanager
def _locked(fleet: Fleet, units: Iterable[str], wait: datetime.timedelta) -> Iterator[tuple[HeldLock, ...]]:
    """Hold the locks of all stacks, and release those of the engine that a move left which was killed."""
    with ExitStack() as held:
        locks = []
        for unit in (None, *units):
            engine = fleet.engine(unit)
            lock = held.enter_context(hold(engine, wait=wait, moving=True))
            release_dead_lock(engine, lock.predecessor)
            locks.append(lock)
        yield tuple(locks)


@dataclass(frozen=True)
class EngineStates:
    """The states, by the commands of the engine (`usine.move.steps.States`)."""

    fleet: Fleet
    locks: Sequence[HeldLock]

    def read(self, unit: str | None) -> dict[str, Any]:
        """Return the state of a stack, which is created if it does not exist."""
        engine = self.fleet.engine(unit)
        if unit is None:
            return engine.export_state()
        # With a settings file, so that the engine writes none to the checkout.
        return replace(engine, config_file=self.fleet.layout.settings).ensure_stack()

    def write(self, unit: str | None, checkpoint: Checkpoint) -> None:
        """Replace the state of a stack."""
        self._still_locked()
        self.fleet.engine(unit).import_state(checkpoint)

    def encrypt(self, unit: str, like: Checkpoint) -> None:
        """Encrypt the secrets of a stack again, as those of another state."""
        self._still_locked()
        self.fleet.engine(unit).encrypt_state(secrets_of(like))

    def remove(self, unit: str) -> None:
        """Empty the state of a stack, and remove the stack."""
        state = self.read(unit)
        if resources_of(state):
            self.write(unit, emptied(state))
        self._still_locked()
        self.fleet.engine(unit).remove_stack()

    def _still_locked(self) -> None:
        for lock in self.locks:
            if lock.lost is not None:
                raise EngineError(f"{lock.lost}: nothing more is written. Run it again to continue")


@dataclass(frozen=True)
class _Files:
    """A move of the tenants of these files. The digests are those of the files before anything is compared."""

    fleet: Fleet
    args: argparse.Namespace
    states: EngineStates
    inputs: Mapping[str | None, Inputs]
    commit: str | None = field(default_factory=lambda: commit_of(ROOT))

    def move(self, target: MoveTarget, slugs: Sequence[str]) -> dict[str | None, Counter[str]]:
        fleet = self.fleet
        move = Move(
            fleet.layout.base,
            fleet.records.storage,
            fleet.records,
            self.states,
            self.providers,
            self.preview,
            self.record,
            partial(print, flush=True),
            fleet.layout.shards,
        )
        return move.to_fleet(slugs) if target is MoveTarget.FLEET else move.to_one(slugs)

    def providers(self, units: Mapping[str, Collection[str]]) -> Mapping[str | None, Collection[str]]:
        """Return the names of the providers of each stack."""
        settings, tenants = self.fleet.settings, self.fleet.platform.tenants
        own = replace(settings, foundation=FoundationMode.SKIP)
        return {
            None: provider_names(replace(settings, foundation=FoundationMode.ONLY), ()),
            **{unit: provider_names(own, [t for t in tenants if t.slug in slugs]) for unit, slugs in units.items()},
        }

    def preview(self, target: MoveTarget, states: Mapping[str | None, Checkpoint]) -> Sequence[Done]:
        """Run `usine preview` on stacks in one of the two layouts; return nothing if they were interrupted."""
        workers = Workers(self.args.workers, ROOT, self.fleet.variables)
        jobs = (self._job(target, unit, salt_of(state)) for unit, state in states.items())
        with workers.interruptible():
            ended = tuple(workers.run(jobs))
        # A process that is interrupted while it starts ends with any exit code.
        return () if workers.stopped else ended

    def _job(self, target: MoveTarget, unit: str | None, salt: str) -> FleetJob:
        to_fleet = target is MoveTarget.FLEET
        settings = self.fleet.layout.write(unit, salt, alone=True) if to_fleet else self.args.settings
        folder = self.fleet.layout.folder_of(unit)
        report, log = folder / "move.json", folder / "move.log"
        stack = ("--stack", self.fleet.layout.stack(unit), "--settings", str(settings))
        words = ("preview", *stack, "--json", str(report), "--expect-no-changes")
        return FleetJob(unit, words, settings, report, log)

    def record(self, unit: str | None, foundation: Checkpoint, done: Done) -> RunRecord:
        """Return the record of a stack that a preview has compared with the files: it needs no run."""
        return RunRecord(
            self.inputs[unit] if unit is None else replace(self.inputs[unit], foundation=digest_of_state(foundation)),
            Result.APPLIED,
            datetime.datetime.now(datetime.UTC),
            round(done.seconds, 1),
            self.commit,
            f"moved: {why_of(done)}",
            done.report is not None and any(n.rule == NoticeId.PENDING_PEOPLE for n in done.report.notices),
            self.fleet.active_of(unit),
            digest_of_state(foundation) if unit is None else "",
            self.fleet.layout.salt(done.job.settings),
        )


def _lines(fleet: Fleet, moved: Mapping[str | None, Counter[str]]) -> Iterator[str]:
    for unit, counts in moved.items():
        yield f"  {fleet.layout.stack(unit)}: {plural(sum(counts.values()), 'object')}"
    stacks, objects = len(moved), sum(sum(counts.values()) for counts in moved.values())
    yield f"moved: {plural(objects, 'object')} in {plural(stacks, 'stack')}, and no stack has changes."
