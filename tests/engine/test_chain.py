"""A tenant's whole chain on the real servers: each step is allowed or refused as it must be, by the right system."""

from __future__ import annotations

from collections import Counter

import pytest

from lab.chain import ChainStep, WalkedTenant, walk
from tests.engine.fleet import Fleet

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]


def tenant(slug: str, maintainer: str, developer: str) -> WalkedTenant:
    return WalkedTenant(slug, "api", "deploy", f"{slug}-dev", f"usine-{slug}--deploy", maintainer, developer)


def test_the_whole_chain(fleet: Fleet) -> None:
    transcript = walk(
        fleet.lab.home,
        "tenants",
        tenant("alpha", "alice.martin", "emma.leroy"),
        tenant("beta", "bob.durand", "idris.diallo"),
    )
    assert transcript.wrong == []
    guards: Counter[str] = Counter(guard(step) for step in transcript.steps if step.expected == "refused")
    assert set(guards) == {"gitlab", "openbao", "harbor", "sonarqube"}
    assert sum(guards.values()) >= 25, guards
    # What pipelines and people changed is not drift.
    assert fleet.stack.drift().must().steps == ()


def guard(step: ChainStep) -> str:
    return step.detail.split(":", 1)[0]
