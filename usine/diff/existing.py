"""How many objects of a kind the base has: counted as far as the rules on removal need it, and no further."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from model.settings import MassRemoval
from usine.plan.model import Plan
from usine.report.model import Action, Entry

#: Tenants counted in one go.
_AT_ONCE = 8


def removed(entries: Iterable[Entry]) -> Counter[str]:
    """Count what a change takes away, by type token; a replaced object goes too."""
    return Counter(entry.type for entry in entries if entry.action in {Action.DESTROYED, Action.REPLACED})


def count(plan: Plan) -> Counter[str]:
    """Count the objects of a plan by type token."""
    return Counter(r.type for r in plan.resources if not (r.is_component or r.is_provider))


def existing(
    entries: Sequence[Entry],
    known: Plan,
    rest: Sequence[str],
    limits: MassRemoval,
    plan_more: Callable[[Sequence[str]], Plan],
) -> Mapping[str, int]:
    """Return how many objects the base has of each kind that loses some, where that can decide anything.

    `known` is what is planned of the base already, `rest` the tenants that are not. Of these, more are planned
    (`plan_more` gives the known and the new together) until there are so many objects that the share of what is
    removed is allowed, or until all are counted: what is returned is exact then, and a lower bound before. Kinds of
    which more or fewer are removed than shares matter for are left out.
    """
    goes = removed(entries)
    asked = {kind: number for kind, number in goes.items() if limits.least <= number <= limits.count}
    counts, left = count(known), list(rest)
    while left and any(number > limits.fraction * counts[kind] for kind, number in asked.items()):
        taken, left = left[:_AT_ONCE], left[_AT_ONCE:]
        counts = count(plan_more(taken))
    return {kind: counts[kind] for kind in sorted(goes if not left else asked)}
