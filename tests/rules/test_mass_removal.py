"""How many objects one change may remove."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.settings import MassRemoval
from usine.rules.mass_removal import TENANT, mass_removals, parse_allowance

LIMITS = MassRemoval(count=50, fraction=0.2, least=5)
POLICY = "vault:index/policy:Policy"


@pytest.mark.parametrize(
    ("removed", "existing", "refused"),
    [
        (50, 1000, False),
        (51, 1000, True),
        (51, 0, True),  # the total is unknown: only the count applies
        (50, 0, False),
        (5, 25, False),  # exactly a fifth
        (5, 24, True),
        (4, 4, False),  # fewer than `least`, even if all of them
        (0, 0, False),
    ],
)
def test_count_and_fraction(removed: int, existing: int, refused: bool) -> None:
    assert bool(mass_removals({POLICY: removed}, {POLICY: existing}, LIMITS)) is refused


def test_kinds_and_tenants_are_counted_separately() -> None:
    found = mass_removals({POLICY: 60, TENANT: 6, "a:b:C": 1}, {POLICY: 600, TENANT: 20, "a:b:C": 1}, LIMITS)
    assert [removal.text for removal in found] == [
        "6 of 20 tenants would be archived or removed",
        "60 of 600 objects of type vault:index/policy:Policy would be removed",
    ]


def test_an_allowance_covers_its_kind_and_number_only() -> None:
    allowed = dict([parse_allowance(f"{POLICY}=60", [POLICY])])
    assert mass_removals({POLICY: 60}, {}, LIMITS, allowed) == ()
    (removal,) = mass_removals({POLICY: 61, TENANT: 1}, {TENANT: 8}, LIMITS, allowed)
    assert removal.text == "61 objects of type vault:index/policy:Policy would be removed (60 allowed)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tenant", "expected KIND=NUMBER"),
        ("tenant=0", "expected KIND=NUMBER"),
        ("=3", "expected KIND=NUMBER"),
        ("tenant=many", "expected KIND=NUMBER"),
        ("tenants=3", "did you mean tenant?"),
        ("vault:index/policy:Polcy=3", f"did you mean {POLICY}?"),
    ],
)
def test_invalid_allowances_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        parse_allowance(text, [POLICY])


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 200)),
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 200)),
)
def test_removing_less_is_never_refused_more(removed: dict[str, int], existing: dict[str, int]) -> None:
    refused = {removal.kind for removal in mass_removals(removed, existing, LIMITS)}
    less = {kind: count - 1 for kind, count in removed.items() if count}
    assert {removal.kind for removal in mass_removals(less, existing, LIMITS)} <= refused
    assert mass_removals({}, existing, LIMITS) == ()
