"""One stack for everything, or one for the foundation and one for each tenant: both make the same platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import live
from tests.engine.breaks import widen_a_policy
from tests.engine.fleet import TENANTS, Fleet
from tests.engine.harness import Stack
from tests.engine.tenants import ALPHA, like

pytestmark = pytest.mark.servers

SLUG = "delta"
TENANT = like(ALPHA, SLUG)


def test_a_tenant_s_own_stack_creates_the_same_objects_as_the_whole_stack(fleet: Fleet, tmp_path: Path) -> None:
    """The tenant's stack looks up the foundation of the whole stack."""
    before = live.snapshot(fleet.lab)
    stack = Stack(fleet.lab, SLUG, tmp_path / SLUG)
    for slug, text in {**TENANTS, SLUG: TENANT}.items():
        stack.tenant(slug, text)
    stack.configure(foundation="skip", tenants=[SLUG])
    stack.up().must()
    made = live.snapshot(fleet.lab)
    assert live.of_tenant(made, SLUG) == live.of_tenant(fleet.after, "alpha")
    assert stack.up("--expect-no-changes").exit_code == 0
    assert stack.drift().must().steps == ()

    # It changes nothing of other tenants, and repairs its own objects.
    stack.tenant(SLUG, TENANT + "state: suspended\n")
    assert {step.name.split("/")[0] for step in stack.up().must().steps} == {SLUG}
    widen_a_policy(fleet.lab, SLUG)
    broken = live.vault(fleet.lab)
    stack.tenant(SLUG, TENANT)
    stack.up("--refresh").must()
    assert live.vault(fleet.lab) != broken
    assert live.snapshot(fleet.lab) == made
    stack.close()
    assert live.snapshot(fleet.lab) == before


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
    assert watched == {f"alpha/observability/deployments/{part}" for part in ("receivers", "rules")} | {
        "beta/observability/deployments/rules"
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
