"""One stack moves to a stack per tenant and back: no run changes anything, and each stack reports its own drift.

Each move is killed at two places and continued. On the way, what pipelines of these tenants reach (see
`tests.engine.pipelines`).
"""

from __future__ import annotations

import json
import shlex
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.servers import external
from lab.testing.platforms import TestLab
from pulumi_facts.urns import address_of
from tests.engine import live, live_forge, pipelines
from tests.engine.harness import Stack
from usine.drift.history import read_past
from usine.engine.storage import state_storage

pytestmark = pytest.mark.servers

TENANTS = pipelines.TENANTS


@pytest.fixture
def whole(light_lab: TestLab, tmp_path: Path) -> Iterator[Stack]:
    """The stack of everything, applied."""
    stack = make(light_lab, "whole", tmp_path / "whole")
    stack.up().must()
    yield stack
    for slug in TENANTS:
        if f"whole.{slug}" in states(stack):
            part(stack, slug).close()
    stack.close()
    state_storage(stack.environment).files.rm(str(usine_files(stack)), recursive=True)


def make(lab: TestLab, name: str, folder: Path, **layout: object) -> Stack:
    stack = Stack(lab, name, folder)
    for slug, text in TENANTS.items():
        stack.tenant(slug, text)
    stack.configure(systems=["vault", "gitlab"], **layout)
    return stack


def part(whole: Stack, slug: str) -> Stack:
    """The stack of a tenant, with a settings file of its own: its first run encrypts the state with another salt."""
    return make(whole.lab, f"whole.{slug}", whole.folder.parent / slug, foundation="skip", tenants=[slug])


def usine_files(stack: Stack) -> Path:
    """The files that Usine keeps beside the states."""
    return stack.lab.home.state / ".usine"


def states(whole: Stack) -> set[str]:
    return {path.stem for path in (whole.lab.home.state / ".pulumi" / "stacks" / "usine").glob("whole*.json")}


def ids(whole: Stack) -> list[tuple[str, str]]:
    """The types and ids of all objects in the states, sorted."""
    found = []
    for name in states(whole):
        file = whole.lab.home.state / ".pulumi" / "stacks" / "usine" / f"{name}.json"
        resources = json.loads(file.read_text(encoding="utf-8"))["checkpoint"]["latest"]["resources"]
        found += [(one["type"], one["id"]) for one in resources if address_of(one["urn"]).is_object]
    return sorted(found)


def move(whole: Stack, target: str, *commands: str) -> str:
    """Move. The move is killed after each of these commands of the engine, and continued. Return what it said."""
    said = ""
    for number, command in enumerate(commands):
        folder = whole.folder / f"kill-{target}-{number}"
        folder.mkdir()
        engine = folder / "pulumi"
        engine.write_text(
            f'#!/bin/sh\n{shlex.quote(whole.engine.executable)} "$@"\ncode=$?\n'
            f'[ "$*" != {shlex.quote(command)} ] || kill -KILL $PPID\nexit $code\n',
            encoding="utf-8",
        )
        engine.chmod(0o755)
        killed = whole.usine("move", "--to", target, PATH=f"{folder}:{whole.environment['PATH']}")
        assert killed.exit_code == -signal.SIGKILL, killed.output
        assert (usine_files(whole) / "moves" / "whole" / "journal.json").exists()
        said += killed.output
    said += whole.usine("move", "--to", target).must().output
    assert said.count("continuing the move") == len(commands)
    assert not (usine_files(whole) / "moves" / "whole" / "journal.json").exists()
    return said


def scan(stack: Stack) -> tuple[int, set[tuple[str, str]]]:
    history = stack.folder / "history"
    done = stack.usine("drift", "--history", str(history))
    assert done.exit_code in {0, 2}, done.output
    return done.exit_code, {(f.kind.value, f.name) for f in read_past(history).findings.values()}


def test_moving_to_a_stack_per_tenant_and_back_changes_nothing_and_each_stack_reports_its_own_drift(
    whole: Stack,
) -> None:
    lab = whole.lab
    pipelines.scheduled_work(lab)
    pipelines.push_to_the_catalogue(lab)
    pipelines.maintainer_of_both(lab)
    # These tokens are signed with the stand-in's key.
    assert external.address("gitlab") or pipelines.combinations(lab) == 796
    before = live.vault(lab), live_forge.gitlab(lab)

    everything = ids(whole)
    assert len(set(everything)) == len(everything) > 50
    imported = "stack import --non-interactive --stack"
    # All states of tenants are written; then the one of the foundation, too.
    said = move(whole, "fleet", f"{imported} whole.beta", f"{imported} whole")
    assert states(whole) == {"whole", "whole.alpha", "whole.beta"}
    assert ids(whole) == everything
    assert whole.usine("fleet plan").must().output == "0 stacks to run, 3 unchanged\n"
    refused = whole.usine("up")
    assert (refused.exit_code, "the tenants of whole have stacks of their own" in refused.output) == (1, True)
    assert (live.vault(lab), live_forge.gitlab(lab)) == before
    token = token_of_the_mirror(whole)
    said += whole.usine("revoke", "alpha", "--credential", "gitlab/copie/mirror-token").must().output
    assert token_of_the_mirror(whole) != token
    assert whole.usine("fleet plan").must().output == "0 stacks to run, 3 unchanged\n"
    before = live.vault(lab), live_forge.gitlab(lab)
    whole.configure(foundation="only")
    stacks = {"foundation": whole, **{slug: part(whole, slug) for slug in TENANTS}}
    for stack in stacks.values():
        assert stack.up("--expect-no-changes").exit_code == 0
    assert (live.vault(lab), live_forge.gitlab(lab)) == before

    policy = lab.vault.sys.read_policy("alpha.env.dev")["data"]["rules"]
    lab.vault.sys.create_or_update_acl_policy("backdoor", 'path "*" { capabilities = ["sudo"] }')
    lab.vault.sys.create_or_update_acl_policy("alpha.env.dev", 'path "*" { capabilities = ["read"] }')
    variable = {"key": "SKIP_SCANS", "value": "true"}
    assert lab.gitlab.post("/groups/tenants%2Fbeta/variables", json=variable).is_success
    try:
        assert scan(stacks["alpha"]) == (2, {("changed", "alpha/vault/policy/env/dev")})
        assert scan(stacks["beta"]) == (2, {("unmanaged", "tenants/beta: SKIP_SCANS:*")})
        assert scan(whole) == (2, {("unmanaged", "policy: backdoor")})
    finally:
        lab.vault.sys.delete_policy("backdoor")
        lab.vault.sys.create_or_update_acl_policy("alpha.env.dev", policy)
        assert lab.gitlab.delete("/groups/tenants%2Fbeta/variables/SKIP_SCANS").is_success

    whole.configure(foundation=None)
    everything = ids(whole)
    # The one state is written; then the first of the other stacks is removed.
    said += move(whole, "one", f"{imported} whole", "stack rm --force --yes --non-interactive --stack whole.alpha")
    assert states(whole) == {"whole"}
    assert ids(whole) == everything
    assert whole.up("--expect-no-changes").exit_code == 0
    assert (live.vault(lab), live_forge.gitlab(lab)) == before
    shutil.rmtree(whole.folder / "history")
    assert scan(whole) == (0, set())
    no_secret_is_in_clear(whole, said)


def no_secret_is_in_clear(whole: Stack, said: str) -> None:
    """Search the token of the mirror, which the state has, in the states, their backups and what the command wrote."""
    token = token_of_the_mirror(whole)
    backups = list((usine_files(whole) / "moves" / whole.name).rglob("*.json"))
    assert len(backups) == 4
    assert {file.stat().st_mode & 0o077 for file in backups} == {0}
    written = (*whole.lab.home.state.rglob("*"), *Path("out/fleet").glob("whole*/**/*"))
    texts = [said, *(file.read_text(encoding="utf-8") for file in written if file.is_file())]
    assert [text[:80] for text in texts if token in text] == []
    assert "comparing 2 stacks with the files" in said


def token_of_the_mirror(whole: Stack) -> str:
    kv = whole.lab.vault.secrets.kv.v2
    found = kv.read_secret_version("operations/mirror/copie", mount_point="alpha", raise_on_deleted_version=False)
    return str(found["data"]["data"]["token"])
