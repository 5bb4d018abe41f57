"""The inventory of a running platform: no findings at first, then each manually created object, in both layouts."""

from __future__ import annotations

import dataclasses

import pytest

from lab.secrets import Secrets
from lab.testing.platforms import TestLab
from model.reading.load import load
from model.reading.settings_load import load_settings
from model.settings import FoundationMode
from tests.drift.inventory import by_hand_access, by_hand_clusters, by_hand_forge, hand
from tests.drift.inventory.hand import Expected, Hand
from tests.engine.fleet import Fleet
from tests.engine.harness import ROOT, Stack
from usine.drift.inventory import Found, Inventory, managed, take_inventory

pytestmark = pytest.mark.servers
SLUG = "alpha"
DEEDS = (*by_hand_forge.DEEDS, *by_hand_access.DEEDS, *by_hand_clusters.DEEDS)


@pytest.fixture
def stack(fleet: Fleet) -> Stack:
    return fleet.stack


def take(stack: Stack, foundation: FoundationMode = FoundationMode.INCLUDE, **environment: str) -> Inventory:
    """Take the inventory of the stack, or in the other layout, of the foundation's or a tenant's own stack."""
    settings = load_settings(stack.settings_file)
    projects = load(stack.projects, settings)
    resources = managed(stack.engine.export_state())
    if foundation is not FoundationMode.INCLUDE:
        resources = tuple(r for r in resources if (r.tenant is None) is (foundation is FoundationMode.ONLY))
    return take_inventory(
        dataclasses.replace(settings, foundation=foundation),
        projects,
        resources,
        root=ROOT,
        environment={**stack.lab.environment(), **environment},
    )


def named(found: Found) -> Expected:
    return found.tenant, found.type.rpartition(":")[2], found.name


def test_a_new_platform_has_no_unmanaged_objects(stack: Stack) -> None:
    assert take(stack) == Inventory((), ())
    assert take(stack, FoundationMode.ONLY) == Inventory((), ())
    assert take(stack, FoundationMode.SKIP) == Inventory((), ())


def test_each_manually_created_object_is_found_and_removed_by_the_call_of_its_finding(stack: Stack) -> None:
    somebody = Hand(stack.lab, SLUG)
    before = stack.engine.export_state()
    try:
        expected = {deed(somebody) for deed in DEEDS}
        assert len(expected) == len(DEEDS)
        inventory = take(stack)
        assert {named(found) for found in inventory.found} == expected
        assert inventory.gaps == ()
        assert stack.engine.export_state() == before
        _tells_no_secret(stack.lab, inventory)
        _layouts_share_it(stack, inventory)
        for found in sorted(inventory.found, key=hand.in_order):
            (hand.revoke if found.type.endswith(":Token") else hand.undo)(somebody, found)
    finally:
        hand.sweep(somebody)
    assert take(stack) == Inventory((), ())


def _tells_no_secret(lab: TestLab, inventory: Inventory) -> None:
    said = repr(inventory)
    assert hand.MARKER not in said
    credentials = [value for value in dataclasses.asdict(Secrets.load(lab.home)).values() if len(str(value)) > 12]
    assert credentials
    assert not [value for value in credentials if str(value) in said]


def _layouts_share_it(stack: Stack, whole: Inventory) -> None:
    """The stacks of the foundation and the tenant find the same together, and neither finds objects of the other."""
    # These have no tenant: the foundation's stack finds all of them.
    homeless = {f for f in whole.found if f.type.endswith((":Entity", ":Token")) or "kube-system/" in f.name}
    tenant, foundation = take(stack, FoundationMode.SKIP), take(stack, FoundationMode.ONLY)
    assert set(tenant.found) == {found for found in whole.found if found.tenant == SLUG} - homeless
    assert {(found.type, found.name) for found in foundation.found} == {
        (found.type, found.name) for found in whole.found if found.tenant is None or found in homeless
    }
    assert all(found.tenant is None for found in foundation.found)
    assert tenant.gaps == foundation.gaps == ()


def test_a_system_that_refuses_does_not_stop_the_scan_of_the_others(stack: Stack) -> None:
    somebody = Hand(stack.lab, SLUG)
    expected = by_hand_forge.harbor_label(somebody)
    inventory = take(stack, GITLAB_TOKEN="no-longer-good")
    for found in inventory.found:
        hand.undo(somebody, found)
    assert [named(found) for found in inventory.found] == [expected]
    assert {(gap.system, gap.tenant) for gap in inventory.gaps} == {
        ("gitlab", None),
        ("gitlab", SLUG),
        ("gitlab", "beta"),
    }
    assert all("HTTP 401" in gap.reason for gap in inventory.gaps)
    assert "no-longer-good" not in repr(inventory)
