"""The steps of a move, in an order that can be interrupted after any of them and continued.

The states before the move are kept as backups, and a journal beside them says that the move has begun. While it is
there, no other run acts on the stacks (`usine.engine.moving`), so that an object may be in two states for a time. An
interrupted move begins again from the backups: each step gives the same result when it is repeated.

========  ========================================  ==============================================
          one stack to a fleet                      back
========  ========================================  ==============================================
1 check   no changes in the one stack               no changes in all stacks
2 begin   backup of its state, journal              backups of all states, journal
3 write   the states of units, preview of each      secrets in one encryption; one state, preview
4 let go  the foundation's state, preview           remove the stacks of units
5 end     records of the fleet, remove the journal  remove the records and the journal
========  ========================================  ==============================================

A preview that shows a change undoes the move, from the backups. Only step 4 of the way back cannot be undone: it begins
when the preview of the one stack shows no change, and a mark in the journal says so.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from model.units import units_of
from pulumi_facts.checkpoint import resources_of
from pulumi_facts.urns import in_stack, name_of
from usine.engine.cli import short_name
from usine.engine.moving import (
    MoveJournal,
    MoveTarget,
    move_folder,
    read_backup,
    read_journal,
    remove_journal,
    write_backup,
    write_journal,
)
from usine.engine.storage import Storage
from usine.fleet.layout import stack_of
from usine.fleet.records import Records, RunRecord
from usine.fleet.report import why_of
from usine.fleet.running import Done
from usine.move.states import (
    Checkpoint,
    MoveError,
    join,
    objects_of,
    print_of,
    refuse_unfinished,
    secrets_of,
    split,
    tenants_of,
)
from usine.report.model import FOUNDATION
from usine.report.words import plural

_SHOWN: Final = 5
#: The exit code of a preview that was interrupted.
_INTERRUPTED: Final = 130


class States(Protocol):
    """The states of the stacks, by unit (None: the foundation, or the one stack). Methods raise EngineError."""

    def read(self, unit: str | None) -> dict[str, Any]:
        """Return the state of a stack; of a stack that does not exist, a state without resources."""

    def write(self, unit: str | None, checkpoint: Checkpoint) -> None:
        """Replace the state of a stack."""

    def encrypt(self, unit: str, like: Checkpoint) -> None:
        """Encrypt the secrets of a stack again, as those of another state."""

    def remove(self, unit: str) -> None:
        """Empty the state of a stack, and remove the stack if it exists."""


#: Previews stacks in a layout; the second argument has their states. The result is not complete if it was interrupted.
Preview = Callable[[MoveTarget, Mapping[str | None, Checkpoint]], Sequence[Done]]


@dataclass(frozen=True)
class Move:
    """A move of the objects of all tenants. The locks of all stacks are held.

    `providers` returns the names of the providers of each stack, given the tenants by unit; `record` the record of a
    stack that a preview has compared, given the foundation's state. `shards` is the number of shards of the fleet.
    """

    base: str
    storage: Storage
    records: Records
    states: States
    providers: Callable[[Mapping[str, Collection[str]]], Mapping[str | None, Collection[str]]]
    preview: Preview
    record: Callable[[str | None, Checkpoint, Done], RunRecord]
    say: Callable[[str], None]
    shards: int | None = None

    def to_fleet(self, slugs: Sequence[str]) -> dict[str | None, Counter[str]]:
        """Move the tenants out of the one stack; return the objects of each stack. Raises MoveError, EngineError."""
        journal, whole = self._resumed(MoveTarget.FLEET), self.states.read(None)
        units = units_of(slugs if journal is None else journal.slugs, self.shards)
        if journal is None:
            if tuple(slugs) != tenants_of(whole):
                raise MoveError(f"somebody has run the stack {self.base} meanwhile: run the same command again")
            parts = self._split(whole, units)
            self._must_not_change(MoveTarget.ONE, {None: whole})
            for unit in units:
                if resources_of(self.states.read(unit)):
                    raise MoveError(f"the stack {self._stack(unit)} has resources already")
            journal = self._begin(MoveTarget.FLEET, {None: whole}, slugs)
        else:
            now, whole = whole, self._backup(journal, None)
            parts = self._split(whole, units)
            self._refuse_changed(None, now, whole, parts[None])
            for unit in units:
                there = self.states.read(unit)
                if resources_of(there):
                    self._refuse_changed(unit, there, parts[unit])
        for unit in units:
            self.states.write(unit, parts[unit])
        compared = self._previewed(MoveTarget.FLEET, {unit: parts[unit] for unit in units})
        if not compared.failed:
            for done in compared.ended:
                self.records.write_run(done.job.unit, self.record(done.job.unit, parts[None], done))
            self.states.write(None, parts[None])
            compared = self._previewed(MoveTarget.FLEET, {None: parts[None]})
        if compared.failed:
            self.states.write(None, whole)
            for unit in units:
                self._let_go(unit, whole)
            self._undone(compared.failed)
        counts = self._counted(units, objects_of(whole))
        self.records.write_run(None, self.record(None, parts[None], compared.ended[0]))
        remove_journal(self.storage, self.base)
        return counts

    def to_one(self, slugs: Sequence[str]) -> dict[str | None, Counter[str]]:
        """Move the tenants into the stack of the foundation; return its objects. Raises MoveError, EngineError."""
        journal = self._resumed(MoveTarget.ONE)
        units = units_of(slugs if journal is None else journal.slugs, self.shards)
        if journal is None:
            before: dict[str | None, Checkpoint] = {unit: self.states.read(unit) for unit in (None, *units)}
            for unit, state in before.items():
                refuse_unfinished(state, self._stack(unit))
            if set(units) != self.records.runs().keys() - {None}:
                raise MoveError("somebody has run the fleet meanwhile: run the same command again")
            if tenants_of(before[None]):
                raise MoveError(f"the stack {self.base} has objects of tenants already")
            self._must_not_change(MoveTarget.FLEET, before)
            journal = self._begin(MoveTarget.ONE, before, slugs)
        else:
            before = {unit: self._backup(journal, unit) for unit in (None, *units)}
        if not journal.checked:
            journal = self._join(journal, before, units)
        whole = self.states.read(None)
        counts = self._counted((), sum((objects_of(state) for state in before.values()), Counter[str]()))
        for unit in units:
            self._let_go(unit, whole)
        self.records.remove(None)
        remove_journal(self.storage, self.base)
        return counts

    def _join(
        self, journal: MoveJournal, before: Mapping[str | None, Checkpoint], units: Mapping[str, Collection[str]]
    ) -> MoveJournal:
        """Write the one state, and compare it; return the journal with the mark."""
        foundation, states = before[None], {}
        for unit in units:
            states[unit] = self.states.read(unit)
            self._refuse_changed(unit, states[unit], before[unit])
            if secrets_of(states[unit]) != secrets_of(foundation):
                self.states.encrypt(unit, foundation)
                states[unit] = self.states.read(unit)
        whole = join(foundation, states, self.base, units)
        self._refuse_changed(None, self.states.read(None), foundation, whole)
        self.states.write(None, whole)
        compared = self._previewed(MoveTarget.ONE, {None: whole})
        if compared.failed:
            self.states.write(None, foundation)
            self._undone(compared.failed)
        journal = replace(journal, checked=True)
        write_journal(self.storage, self.base, journal)
        return journal

    # Beginning and end ---------------------------------------------------------------------------------------------

    def _resumed(self, target: MoveTarget) -> MoveJournal | None:
        journal = read_journal(self.storage, self.base)
        if journal is None:
            if target is MoveTarget.FLEET and self.records.units():
                raise MoveError(f"{self.base} is a fleet already: its tenants have records of their own")
            if target is MoveTarget.ONE and not self.records.units():
                raise MoveError(f"{self.base} is no fleet: no tenant has a record")
        elif journal.target is not target:
            raise MoveError(f"a move to {journal.target} is not finished: finish it first, with --to {journal.target}")
        elif journal.shards != self.shards:
            was = (
                "without usine:fleet.shards" if journal.shards is None else f"with usine:fleet.shards: {journal.shards}"
            )
            raise MoveError(f"the move began {was}: set it to its earlier value, and run the same command again")
        else:
            self.say(f"continuing the move that began at {journal.began:%Y-%m-%d %H:%M:%S} UTC")
        return journal

    def _begin(self, target: MoveTarget, states: Mapping[str | None, Checkpoint], slugs: Sequence[str]) -> MoveJournal:
        began = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        journal = MoveJournal(target, tuple(slugs), began, f"{began:%Y%m%dT%H%M%SZ}", shards=self.shards)
        for unit, state in states.items():
            write_backup(self.storage, self.base, journal, self._stack(unit), state)
        write_journal(self.storage, self.base, journal)
        self.say(f"backups of the states: {self.storage.path(*move_folder(self.base), journal.backup)}")
        return journal

    def _backup(self, journal: MoveJournal, unit: str | None) -> dict[str, Any]:
        return read_backup(self.storage, self.base, journal, self._stack(unit))

    def _undone(self, failed: Sequence[Done]) -> None:
        remove_journal(self.storage, self.base)
        raise MoveError(f"the move was undone, all states are as before: {_reasons(failed)}")

    # Checks --------------------------------------------------------------------------------------------------------

    def _split(self, whole: Checkpoint, units: Mapping[str, Collection[str]]) -> dict[str | None, dict[str, Any]]:
        if not units:
            raise MoveError(f"the stack {self.base} has no tenant")
        return split(whole, self.base, units, self.providers(units))

    def _previewed(self, target: MoveTarget, states: Mapping[str | None, Checkpoint]) -> _Compared:
        self.say(f"comparing {plural(len(states), 'stack')} with the files")
        ended = tuple(self.preview(target, states))
        if len(ended) < len(states) or any(done.exit_code == _INTERRUPTED for done in ended):
            self.say("interrupted: run the same command again to continue")
            raise KeyboardInterrupt
        return _Compared(ended, tuple(done for done in ended if done.exit_code != 0))

    def _must_not_change(self, target: MoveTarget, states: Mapping[str | None, Checkpoint]) -> None:
        failed = self._previewed(target, states).failed
        if failed:
            raise MoveError(f"apply all changes first. {_reasons(failed)}")

    def _refuse_changed(self, unit: str | None, now: Checkpoint, *known: Checkpoint) -> None:
        if print_of(now) not in {print_of(state) for state in known}:
            raise MoveError(
                f"somebody has changed the state of {self._stack(unit)} since the move began; "
                "the backup has the one before"
            )

    def _counted(self, units: Iterable[str], before: Counter[str]) -> dict[str | None, Counter[str]]:
        """Return the objects of each stack as they are. Raises MoveError unless they are those of `before`."""
        counts = {unit: objects_of(self.states.read(unit)) for unit in (None, *units)}
        if sum(counts.values(), Counter[str]()) != before:
            raise MoveError("the stacks do not have the same objects as before: the backups and the journal are kept")
        return counts

    def _let_go(self, unit: str, whole: Checkpoint) -> None:
        """Remove the stack of a unit, all objects of which are in the one stack, and its records."""
        there = {resource["urn"] for resource in resources_of(whole)}
        name = short_name(self.base)
        for resource in resources_of(self.states.read(unit)):
            if in_stack(resource["urn"], name) not in there:
                raise MoveError(f"{name_of(resource['urn'])} is only in the stack {self._stack(unit)}")
        self.states.remove(unit)
        self.records.remove(unit)

    def _stack(self, unit: str | None) -> str:
        return stack_of(self.base, unit)


@dataclass(frozen=True, slots=True)
class _Compared:
    ended: tuple[Done, ...]
    failed: tuple[Done, ...]


def _reasons(failed: Sequence[Done]) -> str:
    shown = [f"{done.job.unit or FOUNDATION}: {why_of(done)} See {done.job.log}." for done in failed[:_SHOWN]]
    return " ".join(shown) + (f" And {plural(len(failed) - _SHOWN, 'other')}." if failed[_SHOWN:] else "")
