"""One stack for everything, or one for the foundation and one per tenant: the same platform either way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import live
from tests.engine.harness import Stack
from tests.engine.test_platform import ALPHA, BETA
from tests.lab_fixture import TestLab

pytestmark = pytest.mark.servers

TENANTS = {"alpha": ALPHA, "beta": BETA}


def make(lab: TestLab, folder: Path, name: str, **keys: object) -> Stack:
    stack = Stack(lab, name, folder / name)
    for slug, text in TENANTS.items():
        stack.tenant(slug, text)
    stack.configure(**keys)
    return stack


def test_both_layouts_make_the_same_platform(lab: TestLab, tmp_path: Path) -> None:
    whole = make(lab, tmp_path, "whole")
    whole.up().must()
    together = live.snapshot(lab)
    whole.close()

    foundation = make(lab, tmp_path, "foundation", foundation="only")
    foundation.up().must()
    tenants = [make(lab, tmp_path, slug, foundation="skip", tenants=[slug]) for slug in TENANTS]
    for tenant in tenants:
        tenant.up().must()
    assert live.snapshot(lab) == together
    for stack in (foundation, *tenants):
        assert stack.up("--expect-no-changes").exit_code == 0
        assert stack.drift().must().steps == ()

    # A tenant's own stack knows nothing of the others, and touches nothing of theirs.
    tenants[0].tenant("alpha", ALPHA + "state: suspended\n")
    assert {step.name.split("/")[0] for step in tenants[0].up().must().steps} == {"alpha"}
    for stack in (*tenants, foundation):
        stack.close()
    assert live.snapshot(lab)["kubernetes"] == {}


def test_a_system_switched_off_is_taken_away_and_the_rest_stays(lab: TestLab, tmp_path: Path) -> None:
    stack = make(lab, tmp_path, "switches")
    stack.up().must()
    before = live.snapshot(lab)
    stack.configure(systems=["keycloak", "vault", "kubernetes"])
    run = stack.up().must()
    assert {name.split("/")[1] for name in run.ops()} == {"argocd", "kubernetes"}
    after = live.snapshot(lab)
    assert [name for name in after["kubernetes"] if name.startswith(("appprojects/", "applications/"))] == []
    assert (after["keycloak"]["groups"], after["vault"]) == (before["keycloak"]["groups"], before["vault"])
    stack.configure(systems=None)
    stack.up().must()
    assert live.snapshot(lab) == before
    stack.close()
