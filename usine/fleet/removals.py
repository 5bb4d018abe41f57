"""The limits on removals over all stacks of a fleet. Each stack has the same guard on its own plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from model.settings import Settings
from pulumi_facts.data_bearing import superseded
from pulumi_facts.generations import generation_of
from usine.report.model import Action, Entry
from usine.rules.mass_removal import TENANT, Removal, mass_removals


def tenant_removals(
    leaving: Collection[str], existing: int, settings: Settings, allowed: Mapping[str, int]
) -> tuple[Removal, ...]:
    """Return the refusal of a run that archives or removes too many tenants; empty if it may begin.

    `leaving` are the tenants that this run archives or removes, `existing` is the number of tenants with a stack.
    """
    return mass_removals({TENANT: len(leaving)}, {TENANT: existing}, settings.changes.mass_removal, allowed)


@dataclass
class RemovalCount:
    """Counts what the stacks of a run have removed, so that a wrong change stops after a few stacks.

    A plan of each stack is far below the limit on its own. Objects of tenants that leave do not count, nor do those of
    a credential generation that the settings no longer list.
    """

    settings: Settings
    allowed: Mapping[str, int]
    leaving: Collection[str]
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, entries: Iterable[Entry]) -> None:
        """Count the entries of the report of one stack."""
        self.counts.update(
            entry.type
            for entry in entries
            if entry.action in {Action.DESTROYED, Action.REPLACED}
            and entry.tenant not in self.leaving
            and not superseded(entry.type, entry.name)
            and not self._withdrawn(entry)
        )

    @property
    def exceeded(self) -> tuple[Removal, ...]:
        """The kinds of which too many objects were removed."""
        return mass_removals(self.counts, {}, self.settings.changes.mass_removal, self.allowed)

    def _withdrawn(self, entry: Entry) -> bool:
        generation = generation_of(entry.type, entry.name, "")
        listed = {credential.name for credential in self.settings.generations_of(entry.tenant)}
        return bool(listed) and generation is not None and generation not in listed
