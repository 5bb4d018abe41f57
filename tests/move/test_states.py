"""States that are split and joined: nothing is lost, nothing is in two, and every reference leads to its own stack."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.repository import Mirror
from model.settings import FoundationMode
from model.units import units_of
from pulumi_facts.checkpoint import resources_of
from pulumi_facts.urns import address_of, in_stack
from stacks.platform.providers import provider_names
from tests import factories
from tests.move import samples
from tests.move.samples import BASE
from tests.plans import plan_of
from usine.move.states import MoveError, emptied, join, objects_of, print_of, salt_of, split, tenants_of

SLUGS = st.lists(st.from_regex(r"[a-z][a-z0-9]{1,6}", fullmatch=True), min_size=1, max_size=6, unique=True)


ALPHA = samples.alone(["alpha"])
#: A stack per tenant, or some shards.
SHARDS = st.one_of(st.none(), st.integers(2, 4))


def parts_of(
    slugs: list[str], scheduled: list[str], shards: int | None = None
) -> tuple[dict[str, Any], dict[str | None, dict[str, Any]]]:
    state, units = samples.whole(slugs, scheduled), units_of(slugs, shards)
    return state, split(state, BASE, units, samples.providers(units, scheduled))


@given(SLUGS, SHARDS, st.data())
def test_a_split_loses_nothing_and_has_nothing_twice(slugs: list[str], shards: int | None, data: st.DataObject) -> None:
    scheduled = data.draw(st.lists(st.sampled_from(slugs), unique=True))
    state, parts = parts_of(slugs, scheduled, shards)
    back = [
        (in_stack(r["urn"], BASE), r.get("id"), r.get("inputs"))
        for part in parts.values()
        for r in resources_of(part)
        if address_of(r["urn"]).is_object
    ]
    before = [(r["urn"], r.get("id"), r.get("inputs")) for r in resources_of(state) if address_of(r["urn"]).is_object]
    assert sorted(map(str, back)) == sorted(map(str, before))
    assert sum(sum(objects_of(part).values()) for part in parts.values()) == sum(objects_of(state).values())
    for unit, part in parts.items():
        stack = BASE if unit is None else f"{BASE}.{unit}"
        assert tenants_of(part) == units_of(slugs, shards).get(unit or "", ())
        assert salt_of(part) == samples.SALT
        whole_and_in_order(part, stack)


def whole_and_in_order(part: dict[str, Any], stack: str) -> None:
    """Every reference is to a resource above it in the same state, as the engine demands."""
    above: set[str] = set()
    for resource in resources_of(part):
        assert resource["urn"].startswith(f"urn:pulumi:{stack}::usine::")
        needed = {
            *filter(None, (resource.get("parent"), resource.get("deletedWith"))),
            *filter(None, (resource.get("provider", "").rpartition("::")[0],)),
            *(resource.get("dependencies") or ()),
            *(urn for urns in (resource.get("propertyDependencies") or {}).values() for urn in urns),
        }
        assert needed <= above, resource["urn"]
        assert all(alias.startswith(f"urn:pulumi:{stack}::") for alias in resource.get("aliases", ()))
        above.add(resource["urn"])
    assert len(above) == len(resources_of(part))


@given(SLUGS, SHARDS, st.data())
def test_what_is_split_and_joined_is_the_same_state(slugs: list[str], shards: int | None, data: st.DataObject) -> None:
    scheduled = data.draw(st.lists(st.sampled_from(slugs), unique=True))
    state, parts = parts_of(slugs, scheduled, shards)
    units = units_of(slugs, shards)
    joined = join(parts[None], {unit: parts[unit] for unit in units}, BASE, units)
    assert print_of(joined) == print_of(state)
    whole_and_in_order(joined, BASE)
    # Only what a tenant's resource needed of the foundation is not known any more; the next run writes it.
    lost = {"dependencies", "propertyDependencies"}
    assert {r["urn"]: {k: v for k, v in r.items() if k not in lost} for r in resources_of(joined)} == {
        r["urn"]: {k: v for k, v in r.items() if k not in lost} for r in resources_of(state)
    }


def test_the_outputs_and_providers_of_a_stack_are_those_of_its_program() -> None:
    _, parts = parts_of(["alpha", "beta"], ["alpha"])
    stacks = {slug: resources_of(part)[0] for slug, part in parts.items()}
    assert {slug: stack["outputs"]["platform"]["foundation"] for slug, stack in stacks.items()} == {
        None: "only",
        "alpha": "skip",
        "beta": "skip",
    }
    assert stacks["beta"]["outputs"]["tenants"] == {"beta": {"state": "active"}}
    assert stacks["beta"]["urn"] == "urn:pulumi:prod.beta::usine::pulumi:pulumi:Stack::usine-prod.beta"
    named = {slug: [r["urn"] for r in resources_of(part) if "operations" in r["urn"]] for slug, part in parts.items()}
    assert [slug for slug, found in named.items() if found] == ["alpha"]


def test_only_references_are_rewritten_and_not_texts() -> None:
    _, parts = parts_of(["alpha"], [])
    mount = next(r for r in resources_of(parts["alpha"]) if r.get("id") == "alpha")
    assert mount["inputs"]["description"].startswith("see urn:pulumi:prod::")
    assert mount["outputs"]["owner"]["urn"].startswith("urn:pulumi:prod.alpha::")
    assert mount["protect"] is True
    assert mount["provider"] == "urn:pulumi:prod.alpha::usine::pulumi:providers:vault::vault::id-of-vault"


def test_the_providers_of_the_one_stack_are_used_by_the_tenants_that_join() -> None:
    state, parts = parts_of(["alpha"], ["alpha"])
    text = json.dumps(parts["alpha"]).replace("id-of-", "other-")
    joined = join(parts[None], {"alpha": json.loads(text)}, BASE, samples.alone(["alpha"]))
    used = {r["provider"].rpartition("::")[2] for r in resources_of(joined) if r.get("provider")}
    # The foundation has no provider for schedules: that of the tenant comes with it.
    assert used == {"id-of-vault", "other-gitlab-operations"}
    assert len(resources_of(joined)) == len(resources_of(state))


@pytest.mark.parametrize(
    "field", [{"delete": True}, {"pendingReplacement": True}, {"initErrors": ["not ready"]}], ids=str
)
def test_a_state_with_unfinished_operations_is_not_moved(field: dict[str, Any]) -> None:
    state = samples.whole(["alpha"])
    resources_of(state)[-1].update(field)
    with pytest.raises(MoveError, match="a run of the stack prod left 1 unfinished operations"):
        split(state, BASE, ALPHA, samples.providers(ALPHA))


def test_pending_operations_are_not_lost() -> None:
    state = samples.whole(["alpha"])
    state["deployment"]["pending_operations"] = [{"type": "creating", "resource": {}}]
    with pytest.raises(MoveError, match="run it to its end first"):
        split(state, BASE, ALPHA, samples.providers(ALPHA))


def test_a_resource_of_another_tenant_is_refused() -> None:
    state = samples.whole(["alpha", "beta"])
    with pytest.raises(MoveError, match="beta in the stack prod is of no tenant that is moved"):
        split(state, BASE, ALPHA, samples.providers(ALPHA))
    units = samples.alone(["alpha", "beta"])
    parts = split(state, BASE, units, samples.providers(units))
    wrong = json.loads(json.dumps(parts["alpha"]).replace("prod.alpha", "prod.beta"))
    with pytest.raises(MoveError, match=r"alpha in the stack prod.beta is of no tenant of this stack"):
        join(parts[None], {"beta": wrong}, BASE, units)
    with pytest.raises(MoveError, match="or in two stacks"):
        join(state, {"alpha": parts["alpha"]}, BASE, units)


def test_a_parent_in_another_stack_is_refused() -> None:
    state = samples.whole(["alpha"])
    resources_of(state)[-1]["parent"] = samples.urn("usine:usine:Foundation", "foundation")
    with pytest.raises(MoveError, match="the parent of alpha/vault/token is in another stack"):
        split(state, BASE, ALPHA, samples.providers(ALPHA))


def test_states_with_other_encryptions_are_not_joined() -> None:
    _, parts = parts_of(["alpha"], [])
    parts["alpha"]["deployment"]["secrets_providers"] = {"type": "passphrase", "state": {"salt": "another"}}
    with pytest.raises(MoveError, match=r"the secrets of prod.alpha are encrypted in another way"):
        join(parts[None], {"alpha": parts["alpha"]}, BASE, ALPHA)


def test_an_emptied_state_has_no_resource_and_keeps_its_encryption() -> None:
    state = emptied(samples.whole(["alpha"]))
    assert (resources_of(state), salt_of(state)) == ([], samples.SALT)
    assert salt_of({"deployment": {"secrets_providers": {"type": "cloud", "state": {"url": "hashivault://key"}}}}) == ""


@pytest.mark.parametrize("mode", list(FoundationMode))
def test_the_names_of_providers_are_those_that_the_program_makes(mode: FoundationMode) -> None:
    mirror = Mirror("https://git.example.fr/x.git", "0 4 * * *")
    tenant = factories.tenant("alpha", repositories=(dataclasses.replace(factories.app(), mirror=mirror),))
    selected = () if mode is FoundationMode.ONLY else (tenant,)
    settings = factories.settings(foundation=mode)
    planned = {r.name for r in plan_of(*selected, settings=settings).resources if r.is_provider}
    assert provider_names(settings, selected) == planned
    assert ("gitlab-operations" in planned) == bool(selected)
