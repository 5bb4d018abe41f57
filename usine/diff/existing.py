"""How many objects of each kind the base has, counted only as far as the rules about removal need it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from model.settings import MassRemoval
from usine.plan.model import Plan
from usine.report.model import Action, Entry

#: Number of tenants planned at a time.
_AT_ONCE = 8


def removed(entries: Iterable[Entry]) -> Counter[str]:
    """Count the objects that a change removes, by type token; a replaced object counts too."""
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
    """Return how many objects the base has of each kind that loses some, if the share of removed objects matters.

    `known` is the part of the base that is planned already, `rest` are the tenants that are not. More tenants are
    planned (`plan_more` returns the known and the new ones together) until the share of removed objects is allowed or
    all tenants are counted. In the first case the numbers are lower bounds, in the second they are exact. A kind is
    left out if the number of its removed objects alone decides.
    """
    goes = removed(entries)
    asked = {kind: number for kind, number in goes.items() if limits.least <= number <= limits.count}
    counts, left = count(known), list(rest)
    while left and any(number > limits.fraction * counts[kind] for kind, number in asked.items()):
        taken, left = left[:_AT_ONCE], left[_AT_ONCE:]
        counts = count(plan_more(taken))
    return {kind: counts[kind] for kind in sorted(goes if not left else asked)}
