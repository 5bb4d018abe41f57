"""Tenants with the same effect of a change are found, whatever their names are, and no other ones."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from benchmarks import bench_effects
from model.tenant import Role, Tenant
from tests import factories
from usine.diff.effects import LEAST, same_effects
from usine.report.model import Action, Entry, PropertyChange

SLUGS = ("alpha", "beta", "gamma", "delta")


def tenant(slug: str, **changes: Any) -> Tenant:
    made = {
        "owner": f"someone.of-{slug}",
        "members": {Role.DEVELOPER: (f"other.of-{slug}",)},
        "contact": f"{slug}@example.fr",
    }
    return dataclasses.replace(factories.tenant(slug), **{**made, **changes})


def policy(slug: str, after: object = "", name: str = "policy/env/dev", **changes: Any) -> Entry:
    change = PropertyChange("policy", f"path {slug}/dev", after or f"path {slug}/dev for someone.of-{slug}")
    made = Entry(Action.CHANGED, slug, "vault", "vault:index/policy:Policy", f"{slug}/vault/{name}", (change,))
    return dataclasses.replace(made, **changes)


TENANTS = {slug: tenant(slug) for slug in SLUGS}
SAME = [policy(slug) for slug in SLUGS]


def test_the_names_of_a_tenant_make_no_other_effect() -> None:
    assert same_effects(SAME, TENANTS) == (tuple(sorted(SLUGS)),)
    assert same_effects(reversed(SAME), {}, TENANTS) == (tuple(sorted(SLUGS)),)


def test_a_name_is_only_replaced_as_a_whole_word() -> None:
    """Alpha's `alphabet` is no name of alpha: it is the same word for all tenants."""
    same = [policy(slug, f"alphabet of {slug}") for slug in SLUGS]
    assert same_effects(same, TENANTS) == (tuple(sorted(SLUGS)),)
    assert same_effects([policy(slug, f"{slug}bet") for slug in SLUGS], TENANTS) == ()


def test_repositories_are_replaced_where_the_slug_is() -> None:
    named = {
        slug: tenant(slug, repositories=(factories.app(f"r-{slug[0]}"), factories.infra("deploy"))) for slug in SLUGS
    }
    of_repositories = [policy(slug, f"tenants/{slug}/r-{slug[0]}", f"repository/r-{slug[0]}") for slug in SLUGS]
    assert same_effects(of_repositories, named) == (tuple(sorted(SLUGS)),)
    assert same_effects([policy(slug, f"/r-{slug[0]}/v4") for slug in SLUGS], named) == ()


@pytest.mark.parametrize(
    "other",
    [
        policy("beta", "path beta/prod for someone.of-beta"),
        policy("beta", "path alpha/dev for someone.of-beta"),
        policy("beta", "path beta/dev for someone.of-alpha"),
        policy("beta", action=Action.REPLACED),
        policy("beta", name="policy/env/prod"),
        policy("beta", type="vault:index/mount:Mount"),
        policy("beta", holds_data=True),
        policy("beta", note="protected: the engine refuses to replace it"),
        policy("beta", properties=()),
    ],
    ids=lambda entry: f"{entry.action} {entry.name} {entry.note} {entry.properties}"[:60],
)
def test_another_effect_is_in_no_group(other: Entry) -> None:
    entries = [other if entry.tenant == "beta" else entry for entry in SAME]
    assert same_effects(entries, TENANTS) == (("alpha", "delta", "gamma"),)
    assert same_effects([*SAME, dataclasses.replace(other, name="beta/vault/more")], TENANTS) == (
        ("alpha", "delta", "gamma"),
    )


def test_the_names_of_both_sides_count() -> None:
    before = {slug: tenant(slug, owner=f"former{slug}") for slug in SLUGS}
    entries = [policy(slug, f"no longer former{slug}, but someone.of-{slug}") for slug in SLUGS]
    assert same_effects(entries, TENANTS) == ()
    assert same_effects(entries, before, TENANTS) == (tuple(sorted(SLUGS)),)


def test_few_tenants_and_the_foundation_are_shown_one_by_one() -> None:
    assert same_effects(SAME[: LEAST - 1], TENANTS) == ()
    foundation = [dataclasses.replace(entry, tenant=None) for entry in SAME]
    assert same_effects(foundation, TENANTS) == ()


def test_the_largest_group_comes_first() -> None:
    more = [policy(slug, "another") for slug in ("xi", "psi", "phi")]
    assert same_effects([*more, *SAME], TENANTS) == (tuple(sorted(SLUGS)), ("phi", "psi", "xi"))


def test_the_benchmark_finds_the_effects_that_it_makes() -> None:
    entries, tenants = bench_effects.change(24)
    found = same_effects(entries, tenants)
    assert [len(group) for group in found] == [21, 3]
