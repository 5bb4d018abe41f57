"""One stack for everything, or one for the foundation and one per tenant: the same platform either way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.engine import live
from tests.engine.harness import Stack
from tests.engine.test_platform import ALPHA, BETA
from tests.lab_fixture import TestLab

pytestmark = pytest.mark.servers

TENANTS = {"alpha": ALPHA, "beta": BETA}


class Maker(Protocol):
    def __call__(self, name: str, **keys: object) -> Stack: ...


@pytest.fixture
def make(lab: TestLab, tmp_path: Path) -> Iterator[Maker]:
    """Make stacks of both tenants; those a test does not close are closed, the youngest first."""
    made: list[Stack] = []

    def make(name: str, **keys: object) -> Stack:
        stack = Stack(lab, name, tmp_path / name)
        made.append(stack)
        for slug, text in TENANTS.items():
            stack.tenant(slug, text)
        stack.configure(**keys)
        return stack

    yield make
    for stack in reversed(made):
        if stack.folder.exists():
            stack.close()


def test_both_layouts_make_the_same_platform(lab: TestLab, make: Maker) -> None:
    whole = make("whole")
    whole.up().must()
    together = live.snapshot(lab)
    whole.close()

    foundation = make("foundation", foundation="only")
    foundation.up().must()
    tenants = [make(slug, foundation="skip", tenants=[slug]) for slug in TENANTS]
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


def test_a_system_switched_off_is_taken_away_and_the_rest_stays(lab: TestLab, make: Maker) -> None:
    stack = make("switches")
    stack.up().must()
    before = live.snapshot(lab)
    stack.configure(systems=["keycloak", "vault", "kubernetes", "gitlab", "harbor", "sonarqube"])
    run = stack.up().must()
    assert {name.split("/")[1] for name in run.ops()} == {"argocd", "keycloak", "kubernetes"}
    assert {name for name in run.ops() if "/keycloak/" in name} == {
        "foundation/keycloak/client/argocd",
        "foundation/keycloak/client/argocd/scopes",
    }
    after = live.snapshot(lab)
    assert [name for name in after["kubernetes"] if name.startswith(("appprojects/", "applications/"))] == []
    assert (after["keycloak"]["groups"], after["vault"]) == (before["keycloak"]["groups"], before["vault"])
    stack.configure(systems=None)
    stack.up().must()
    assert live.snapshot(lab) == before
