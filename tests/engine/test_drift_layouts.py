"""`usine drift` where each tenant has a stack of its own: it speaks of that tenant, and of nobody else's objects."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import live
from tests.engine.harness import ROOT, Stack
from tests.engine.test_platform import ALPHA, BETA
from tests.lab_fixture import TestLab
from usine.drift.history import read_past

pytestmark = pytest.mark.servers

TENANTS = {"alpha": ALPHA, "beta": BETA}


@pytest.fixture
def stacks(lab: TestLab, tmp_path: Path) -> Iterator[dict[str, Stack]]:
    """A foundation, and a stack for each tenant, on two systems."""
    made: dict[str, Stack] = {}
    for name in ("foundation", *TENANTS):
        stack = made[name] = Stack(lab, name, tmp_path / name)
        for slug, text in TENANTS.items():
            stack.tenant(slug, text)
        stack.configure(systems=["keycloak", "vault"])
        stack.configure(
            **({"foundation": "only"} if name == "foundation" else {"foundation": "skip", "tenants": [name]})
        )
        stack.up().must()
    yield made
    for stack in reversed(made.values()):
        stack.close()


def drift(stack: Stack) -> tuple[int, set[tuple[str, str]]]:
    history = stack.folder / "history"
    done = subprocess.run(
        [sys.executable, "-m", "usine", "drift", "--stack", stack.name, "--settings", str(stack.settings_file),
         "--history", str(history)],
        cwd=ROOT,
        env=stack.lab.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )  # fmt: skip
    assert done.returncode in {0, 2}, done.stdout + done.stderr
    return done.returncode, {(f.kind.value, f.name) for f in read_past(history).findings.values()}


def test_a_stack_speaks_of_what_it_holds(lab: TestLab, stacks: dict[str, Stack]) -> None:
    for stack in stacks.values():
        assert drift(stack) == (0, set()), stack.name
    admin = lab.keycloak
    admin.connection.realm_name = live.REALM
    try:
        admin.create_group({"name": "auditors"}, parent=admin.get_group_by_path("/beta")["id"])
        admin.create_client({"clientId": "backdoor"})
    finally:
        admin.connection.realm_name = "master"
    lab.vault.sys.create_or_update_acl_policy("alpha.env.dev", 'path "*" { capabilities = ["read"] }')
    assert drift(stacks["alpha"]) == (2, {("changed", "alpha/vault/policy/env/dev")})
    assert drift(stacks["beta"]) == (2, {("unmanaged", "/beta/auditors")})
    assert drift(stacks["foundation"]) == (2, {("unmanaged", "client: backdoor")})
