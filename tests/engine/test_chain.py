"""A tenant's whole chain on the real servers: what must be allowed is, what must be refused is, by who guards it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from lab.chain import Step, Tenant, walk
from tests.engine.harness import Stack
from tests.lab_fixture import TestLab

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

OWN = """
    owner: alice.martin
    contact: alpha@example.gouv.fr
    members: {developer: [emma.leroy]}
    environments:
      dev: {stage: dev, cluster: nonprod-1}
    repositories:
      api: {kind: app, preset: generic}
      deploy: {kind: infra, path: charts/alpha}
    registry: {immutable: ["v*"]}
    """
OTHER = OWN.replace("alice.martin", "bob.durand").replace("emma.leroy", "idris.diallo").replace("alpha", "beta")


def tenant(slug: str, maintainer: str, developer: str) -> Tenant:
    return Tenant(slug, "api", "deploy", f"{slug}-dev", f"usine-{slug}--deploy", maintainer, developer)


def test_the_whole_chain(lab: TestLab, tmp_path: Path) -> None:
    stack = Stack(lab, "chain", tmp_path / "chain")
    stack.tenant("alpha", OWN)
    stack.tenant("beta", OTHER)
    stack.up().must()
    transcript = walk(
        lab.home,
        "tenants",
        tenant("alpha", "alice.martin", "emma.leroy"),
        tenant("beta", "bob.durand", "idris.diallo"),
    )
    assert transcript.wrong == []
    guards: Counter[str] = Counter(guard(step) for step in transcript.steps if step.expected == "refused")
    assert set(guards) == {"gitlab", "openbao", "harbor", "sonarqube"}
    assert sum(guards.values()) >= 25, guards
    # What pipelines and people did with it is no drift.
    assert stack.drift().must().steps == ()
    # What holds images goes only with a tenant that was archived before.
    stack.tenant("alpha", OWN + "state: archived\n")
    stack.tenant("beta", OTHER + "state: archived\n")
    stack.up().must()
    stack.close()


def guard(step: Step) -> str:
    return step.detail.split(":", 1)[0]
