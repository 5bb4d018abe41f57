"""What a stack creates: everything, only the foundation, or not all systems.

A tenant's own stack is in `test_recovery.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import live
from tests.engine.fleet import TENANTS, Fleet
from tests.engine.harness import Stack

pytestmark = pytest.mark.servers


def test_the_foundation_s_own_stack_creates_the_same_objects_as_the_whole_stack(fleet: Fleet, tmp_path: Path) -> None:
    """Compared in a preview, because the foundation can exist only once."""
    stack = Stack(fleet.lab, "foundation", tmp_path / "foundation")
    for slug, text in TENANTS.items():
        stack.tenant(slug, text)
    stack.configure(foundation="only")
    whole = {step.name for step in fleet.created.steps if step.name.startswith("foundation/")}
    assert len(whole) > 20
    assert stack.preview().must().ops() == dict.fromkeys(whole, "create")
    stack.close()


def test_objects_of_a_system_that_is_switched_off_are_removed_and_others_stay(fleet: Fleet) -> None:
    stack, before = fleet.stack, live.snapshot(fleet.lab)
    stack.configure(systems=["keycloak", "vault", "kubernetes", "gitlab", "harbor", "sonarqube", "observability"])
    run = stack.up().must()
    assert {name.split("/")[1] for name in run.ops()} == {"argocd", "keycloak", "kubernetes", "observability"}
    # Argo CD's metrics are gone with it.
    watched = {name for name in run.ops() if "/observability/" in name}
    assert watched == {
        f"{slug}/observability/deployments/{part}" for slug in ("alpha", "beta") for part in ("receivers", "rules")
    }
    assert {name for name in run.ops() if "/keycloak/" in name} == {
        "foundation/keycloak/client/argocd",
        "foundation/keycloak/client/argocd/optional-scopes",
        "foundation/keycloak/client/argocd/scopes",
    }
    after = live.snapshot(fleet.lab)
    assert [name for name in after["kubernetes"] if name.startswith(("appprojects/", "applications/"))] == []
    assert (after["keycloak"]["groups"], after["vault"]) == (before["keycloak"]["groups"], before["vault"])
    fleet.restore()
    stack.up().must()
    assert live.snapshot(fleet.lab) == before
