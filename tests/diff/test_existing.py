"""Objects are counted only as far as the rules need it."""

from __future__ import annotations

from collections.abc import Sequence

from model.settings import MassRemoval
from usine.diff.existing import existing
from usine.plan import Plan, PlannedResource
from usine.report.model import Action, Entry

TYPE = "vault:index/policy:Policy"
LIMITS = MassRemoval(count=50, fraction=0.2, least=5)


def plan(tenants: Sequence[str], each: int = 10) -> Plan:
    return Plan.of(
        PlannedResource(TYPE, f"{slug}/{number}", None, slug, "vault", {}, protect=False)
        for slug in tenants
        for number in range(each)
    )


def counted(goes: int, fleet: int) -> tuple[dict[str, int], list[str]]:
    """Return the counts if so many objects of the first tenant are removed, and the tenants that were planned."""
    slugs = [f"t{number:04}" for number in range(fleet)]
    entries = [Entry(Action.DESTROYED, slugs[0], "vault", TYPE, f"x{number}") for number in range(goes)]
    planned = slugs[:1]

    def plan_more(more: Sequence[str]) -> Plan:
        planned.extend(more)
        return plan(planned)

    return dict(existing(entries, plan(slugs[:1]), slugs[1:], LIMITS, plan_more)), planned


def test_small_and_very_large_removals_need_no_counting() -> None:
    assert counted(0, 1000) == ({}, ["t0000"])
    assert counted(4, 1000) == ({}, ["t0000"])
    assert counted(51, 1000) == ({}, ["t0000"])


def test_counting_stops_when_the_share_is_allowed() -> None:
    known, planned = counted(9, 1000)
    assert known[TYPE] >= 9 / LIMITS.fraction
    assert len(planned) < 20


def test_the_number_is_exact_if_the_share_is_too_large() -> None:
    assert counted(9, 3) == ({TYPE: 30}, ["t0000", "t0001", "t0002"])
    assert counted(9, 1) == ({TYPE: 10}, ["t0000"])
