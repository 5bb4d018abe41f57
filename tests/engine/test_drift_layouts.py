"""Each tenant in a stack of its own: the same objects, and a drift scan that reports on that tenant alone.

On the way, what pipelines of these tenants reach (see `tests.engine.pipelines`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.servers import external
from lab.testing.platforms import TestLab
from tests.engine import live, live_forge, pipelines
from tests.engine.harness import Stack
from usine.drift.history import read_past

pytestmark = pytest.mark.servers

TENANTS = pipelines.TENANTS
SYSTEMS = ["vault", "gitlab"]


@pytest.fixture
def stacks(light_lab: TestLab, tmp_path: Path) -> Iterator[dict[str, Stack]]:
    """One stack of everything, `whole`, a foundation, and a stack for each tenant. Only the first is applied."""
    layouts: dict[str, dict[str, object]] = {
        "whole": {"foundation": "include"},
        "foundation": {"foundation": "only"},
        **{slug: {"foundation": "skip", "tenants": [slug]} for slug in TENANTS},
    }
    made: dict[str, Stack] = {}
    for name, layout in layouts.items():
        stack = made[name] = Stack(light_lab, name, tmp_path / name)
        for slug, text in TENANTS.items():
            stack.tenant(slug, text)
        stack.configure(systems=SYSTEMS, **layout)
    yield made
    for stack in reversed(made.values()):
        stack.close()


def scan(stack: Stack) -> tuple[int, set[tuple[str, str]]]:
    history = stack.folder / "history"
    done = stack.usine("drift", "--history", str(history))
    assert done.exit_code in {0, 2}, done.output
    return done.exit_code, {(f.kind.value, f.name) for f in read_past(history).findings.values()}


def test_both_layouts_create_the_same_objects_and_each_stack_reports_its_own_drift(stacks: dict[str, Stack]) -> None:
    whole, *split = stacks.values()
    lab = whole.lab
    whole.up().must()
    together = live.vault(lab), live_forge.gitlab(lab)
    pipelines.scheduled_work(lab)
    pipelines.push_to_the_catalogue(lab)
    pipelines.maintainer_of_both(lab)
    # These tokens are signed with the stand-in's key.
    assert external.address("gitlab") or pipelines.combinations(lab) == 796
    whole.destroy().must()
    for stack in split:
        stack.up().must()
    assert (live.vault(lab), live_forge.gitlab(lab)) == together
    for stack in split:
        assert stack.up("--expect-no-changes").exit_code == 0
    assert scan(stacks["alpha"]) == (0, set())

    lab.vault.sys.create_or_update_acl_policy("backdoor", 'path "*" { capabilities = ["sudo"] }')
    lab.vault.sys.create_or_update_acl_policy("alpha.env.dev", 'path "*" { capabilities = ["read"] }')
    variable = {"key": "SKIP_SCANS", "value": "true"}
    assert lab.gitlab.post("/groups/tenants%2Fbeta/variables", json=variable).is_success
    try:
        assert scan(stacks["alpha"]) == (2, {("changed", "alpha/vault/policy/env/dev")})
        assert scan(stacks["beta"]) == (2, {("unmanaged", "tenants/beta: SKIP_SCANS:*")})
        assert scan(stacks["foundation"]) == (2, {("unmanaged", "policy: backdoor")})
    finally:
        lab.vault.sys.delete_policy("backdoor")
