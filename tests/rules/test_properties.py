"""Properties of the rules on any change."""

from __future__ import annotations

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from model.tenant import Egress, Envelope, Role, State, Tenant
from tests.factories import app, environment, infra, quota
from tests.rules.changes import OWNER, PLATFORM, change, entry, plain, rules_of
from usine.report.model import Action
from usine.rules import check

#: On a machine that does other things meanwhile, an example may take as long as it takes.
patient = settings(deadline=None, max_examples=50)

people = st.sampled_from(["alice.martin", "bob.durand", "emma.leroy", "helene.faure", "x.y"])
members = st.dictionaries(
    st.sampled_from([role for role in Role if role is not Role.OWNER]),
    st.lists(people, unique=True, min_size=1, max_size=3).map(tuple),
)
environments = st.lists(
    st.builds(
        environment,
        st.sampled_from(["dev", "prod"]),
        url=st.none() | st.sampled_from(["https://a.example.fr", "https://dev.t0.example.gouv.fr"]),
        egress=st.lists(st.builds(Egress, st.sampled_from(["a.example.fr", "api.t1-dev"]), st.just(443))).map(tuple),
        autosync=st.booleans(),
    ),
    max_size=2,
    unique_by=lambda e: e.name,
).map(tuple)
envelopes = st.integers(1, 200).map(lambda n: Envelope(quota(cpu=n * 1000), quota(cpu=n * 500)))


def tenant(slug: str) -> st.SearchStrategy[Tenant]:
    return st.builds(
        plain,
        st.just(slug),
        owner=people,
        members=members,
        environments=environments,
        repositories=st.sampled_from([(app(),), (infra(),), (app(), infra())]),
        envelope=envelopes,
        state=st.sampled_from(State),
        archetype=st.sampled_from(["small", "standard", "large"]),
    )


fleets = st.sets(st.sampled_from(["t0", "t1", "t2", "t3"])).flatmap(
    lambda slugs: st.tuples(*(tenant(slug) for slug in sorted(slugs)))
)
authors = st.sampled_from([OWNER, PLATFORM, "nobody.here", None])


@patient
@given(fleets, authors)
def test_an_empty_change_has_no_notices(fleet: tuple[Tenant, ...], author: str | None) -> None:
    assert check(change(fleet, fleet, author=author)) == ()


@patient
@given(fleets, fleets, authors, st.randoms(use_true_random=False))
def test_the_order_of_inputs_does_not_change_the_notices(
    base: tuple[Tenant, ...], head: tuple[Tenant, ...], author: str | None, random: object
) -> None:
    entries = [entry(Action.DESTROYED, slug, f"{slug}/{n}") for slug in ("t0", "t1", None) for n in range(2)]
    notices = check(change(base, head, author=author, entries=tuple(entries), files=["a", "b"]))
    shuffled = [list(base), list(head), entries]
    for items in shuffled:
        random.shuffle(items)  # type: ignore[attr-defined]
    again = change(shuffled[0], shuffled[1], author=author, entries=tuple(shuffled[2]), files=["b", "a"])  # type: ignore[arg-type]
    assert check(again) == notices


@patient
@given(fleets, tenant("new"), authors)
def test_a_new_tenant_is_no_removal_and_no_rename(fleet: tuple[Tenant, ...], new: Tenant, author: str | None) -> None:
    added = change(fleet, [*fleet, new], author=author, entries=(entry(Action.CREATED, "new"),))
    assert not rules_of(added) & {"data-destruction", "mass-removal", "slug-renamed", "owner-stays", "access-widened"}


@patient
@given(tenant("t0"), tenant("t0"))
def test_a_change_of_one_tenant_never_breaks_one_tenant(base: Tenant, head: Tenant) -> None:
    assert "one-tenant" not in rules_of(change([base], [head], author="nobody.here"))


@patient
@given(fleets, fleets, authors)
def test_every_notice_has_a_remediation_and_a_position(
    base: tuple[Tenant, ...], head: tuple[Tenant, ...], author: str | None
) -> None:
    for notice in check(change(base, head, author=author)):
        assert notice.text.isprintable()
        assert notice.remedy
        assert notice.line >= 1
        assert notice.column >= 1
        assert (notice.path == "") == (notice.rule == "mass-removal")


@patient
@given(fleets, fleets)
def test_the_platform_team_is_refused_only_irreversible_changes(
    base: tuple[Tenant, ...], head: tuple[Tenant, ...]
) -> None:
    refused = {notice.rule for notice in check(change(base, head, author=PLATFORM)) if notice.refuses}
    assert refused <= {"data-destruction", "mass-removal", "slug-renamed", "cross-tenant"}


@patient
@given(fleets)
def test_an_unreadable_base_does_not_refuse_a_tenant_its_own_file(fleet: tuple[Tenant, ...]) -> None:
    for one in fleet:
        unknown = change(None, fleet, author=one.owner)
        unknown = dataclasses.replace(unknown, files=frozenset({f"projects.d/{one.slug}.yaml"}))
        assert not any(notice.refuses for notice in check(unknown))
