"""`usine fleet` on the real engine: a stack per tenant. One tenant fails, one changes and one leaves. Then shards.

One system is enough, and quick. A key of that system encrypts the states, as in production: there is no passphrase.
"""

from __future__ import annotations

import base64
import datetime
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.testing.platforms import TestLab
from tests.engine.harness import Ended, Stack
from tests.engine.tenants import BETA
from usine.report import as_json

pytestmark = pytest.mark.servers

SLUGS = ("beta", "delta", "omega")


@pytest.fixture
def fleet(light_lab: TestLab, tmp_path: Path) -> Iterator[Stack]:
    """The stack of the foundation; `usine fleet` makes those of the tenants."""
    light_lab.vault.sys.enable_secrets_engine("transit")
    stack = Stack(light_lab, "fleet", tmp_path / "fleet", encryption=key_in_vault(light_lab))
    stack.configure(systems=["vault"])
    for slug in SLUGS:
        stack.tenant(slug, BETA)
    yield stack
    for name in stacks(stack):
        if name != stack.name:
            Stack(light_lab, name, tmp_path / name).close()
    for folder in ("fleet", "moves"):
        shutil.rmtree(light_lab.home.state / ".usine" / folder / stack.name, ignore_errors=True)
    stack.close()
    light_lab.vault.sys.disable_secrets_engine("transit")


def key_in_vault(lab: TestLab) -> dict[str, str]:
    """Make a key, and return what `pulumi stack init --secrets-provider` writes to the settings file."""
    transit = lab.vault.secrets.transit
    transit.create_key(name="states")
    key = transit.encrypt_data(name="states", plaintext=base64.b64encode(os.urandom(32)).decode())
    return {
        "secretsprovider": "hashivault://states",
        "encryptedkey": base64.b64encode(key["data"]["ciphertext"].encode()).decode(),
    }


def scan(stack: Stack, *arguments: str) -> Ended:
    """Scan. The mount of the key that encrypts the states is nobody's."""
    ignores = stack.folder / "drift-ignore.yaml"
    ends = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)
    rule = f"{{name: 'mount: transit', reason: The key of the states, owner: alice.martin, expires: {ends}}}"
    ignores.write_text(f"ignores: [{rule}]", encoding="utf-8")
    return usine(stack, "drift", "--ignore", str(ignores), *arguments)


def stacks(stack: Stack) -> set[str]:
    folder = stack.lab.home.state / ".pulumi" / "stacks" / "usine"
    return {path.stem for path in folder.glob("fleet*.json")}


def usine(stack: Stack, action: str, *arguments: str) -> Ended:
    return stack.usine(f"fleet {action}", *arguments)


def test_each_tenant_has_a_stack_that_runs_fails_changes_and_leaves_alone(fleet: Stack) -> None:
    vault = fleet.lab.vault
    # Another mount is where the one of omega would be.
    vault.sys.enable_secrets_engine("kv", path="omega")
    try:
        first = usine(fleet, "up")
    finally:
        vault.sys.disable_secrets_engine("omega")
    assert first.exit_code == 4, first.output
    assert "4 stacks run: 3 applied, 1 failed in part; 0 unchanged." in first.output
    assert stacks(fleet) == {"fleet", *(f"fleet.{slug}" for slug in SLUGS)}

    plan = usine(fleet, "plan").must().output
    assert plan == "1 stack, its last run failed in part: omega\n1 stack to run, 3 unchanged\n"
    assert "1 stack run: 1 applied; 3 unchanged." in usine(fleet, "up").must().output

    # Nothing differs, and the engine of no stack runs.
    assert "0 stacks run; 4 unchanged." in usine(fleet, "up").must().output
    assert scan(fleet).must().output.endswith("No drift.\n")

    # One tenant changes, and one is archived.
    fleet.tenant("beta", BETA.replace("dev: {", "essai: {stage: dev, cluster: nonprod-1}\n      dev: {", 1))
    fleet.tenant("delta", BETA.replace("owner:", "state: archived\n    owner:", 1))
    plan = usine(fleet, "plan").must().output
    assert plan.startswith("2 stacks, its file changed: ")
    assert plan.endswith("2 stacks to run, 2 unchanged\n")
    assert "2 stacks run: 2 applied; 2 unchanged." in usine(fleet, "up").must().output
    assert "beta.env.essai" in vault.sys.list_policies()["data"]["policies"]

    # The archived tenant leaves: its objects go, then its stack.
    fleet.remove("delta")
    assert "1 stack, its file is gone: delta" in usine(fleet, "plan").must().output
    usine(fleet, "up").must()
    assert stacks(fleet) == {"fleet", "fleet.beta", "fleet.omega"}
    assert "delta/" not in vault.sys.list_mounted_secrets_engines()["data"]

    # A scan of a share finds what was changed by hand, and says whose it is.
    vault.sys.create_or_update_acl_policy("beta.env.essai", 'path "*" { capabilities = ["read"] }')
    report = fleet.folder / "drift.json"
    found = scan(fleet, "--json", str(report))
    assert found.exit_code == 2, found.output
    entries = as_json.load(report.read_text(encoding="utf-8")).entries
    assert [(entry.action.value, entry.tenant, entry.name) for entry in entries] == [
        ("changed", "beta", "beta/vault/policy/env/essai")
    ]
    # The report has the key for its repair.
    key = entries[0].note.partition("--repair ")[2]
    assert "repaired: beta/vault/policy/env/essai" in scan(fleet, "--repair", key).must().output
    assert 'path "*"' not in vault.sys.read_policy("beta.env.essai")["data"]["rules"]
    the_tenants_share_a_shard(fleet)


def the_tenants_share_a_shard(fleet: Stack) -> None:
    """Both are moved to one of three shards. One changes, the other one leaves, in the run of their stack."""
    vault = fleet.lab.vault
    fleet.usine("move", "--to", "one").must()
    fleet.configure(systems=["vault"], fleet={"shards": 3})
    moved = fleet.usine("move", "--to", "fleet").must().output
    assert "  3-of-3 (beta, omega): " in moved
    assert stacks(fleet) == {"fleet", "fleet.3-of-3"}
    assert usine(fleet, "plan").must().output == "0 stacks to run, 2 unchanged\n"

    fleet.tenant("beta", BETA)
    fleet.tenant("omega", BETA.replace("owner:", "state: archived\n    owner:", 1))
    assert "1 stack run: 1 applied; 1 unchanged." in usine(fleet, "up").must().output
    fleet.remove("omega")
    assert "1 stack, files of its tenants changed: 3-of-3" in usine(fleet, "plan").must().output
    usine(fleet, "up").must()
    assert "omega/" not in vault.sys.list_mounted_secrets_engines()["data"]
    assert "beta.env.essai" not in vault.sys.list_policies()["data"]["policies"]
    assert "beta.env.dev" in vault.sys.list_policies()["data"]["policies"]
    report = fleet.folder / "again.json"
    usine(fleet, "up", "--all", "--only", "tenants", "--json", str(report)).must()
    assert as_json.load(report.read_text(encoding="utf-8")).entries == ()
    assert scan(fleet).must().output.endswith("No drift.\n")
