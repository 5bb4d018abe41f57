"""A rotation and a revocation on the real engine, while jobs fetch credentials from OpenBao and use them.

Three systems are enough. Tests share one stack, in order: the last one revokes what the first one handed out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from lab.testing.platforms import TestLab
from pulumi_facts.generations import generation_of
from pulumi_facts.urns import address_of
from tests.engine import live
from tests.engine.harness import Stack
from usine.report import as_json
from usine.report.model import Action

pytestmark = [pytest.mark.servers, pytest.mark.random_order(disabled=True)]

TENANT = """
    owner: alice.martin
    contact: alpha@example.gouv.fr
    environments:
      dev: {stage: dev, cluster: nonprod-1}
    repositories:
      deploy: {kind: infra, path: charts/alpha}
      copy: {mirror: {url: "https://git.example.fr/x.git", schedule: "0 4 * * *"}}
    packages: [generic]
    packageRegistry: {readers: [portal]}
    """
#: A consumer keeps what it has fetched for this time, like a job.
JOB = 1.5
_LOGIN = {"service": "harbor-registry", "scope": "repository:alpha/app:pull,push"}


@pytest.fixture(scope="module")
def stack(light_lab: TestLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(light_lab, "rotation", tmp_path_factory.mktemp("rotation") / "rotation")
    stack.configure(systems=["vault", "gitlab", "harbor"])
    stack.tenant("alpha", TENANT)
    yield stack
    stack.close()


def fetched(lab: TestLab, path: str) -> dict[str, str]:
    """Return the fields of a secret of the tenant in OpenBao."""
    found = lab.vault.secrets.kv.v2.read_secret_version(path, mount_point="alpha", raise_on_deleted_version=True)
    fields: dict[str, str] = found["data"]["data"]
    return fields


def pushes(lab: TestLab, secret: dict[str, str]) -> bool:
    """Return whether Harbor accepts this robot account."""
    url = f"http://127.0.0.1:{lab.home.ports.harbor}/service/token"
    answer = httpx.get(url, params=_LOGIN, auth=(secret["username"], secret["password"]), trust_env=False)
    claims = jwt.decode(answer.json()["token"], options={"verify_signature": False})
    return any("push" in (access["actions"] or ()) for access in claims["access"])


@contextmanager
def consumers(lab: TestLab) -> Iterator[list[str]]:
    """Run jobs that fetch a credential and use it for a while; yield the list of their failures."""
    failures: list[str] = []
    done, stop = [0], threading.Event()

    def job() -> None:
        while not stop.is_set():
            held, end = fetched(lab, "ci/registry/push"), time.monotonic() + JOB
            while time.monotonic() < end and not stop.is_set():
                if not pushes(lab, held):
                    failures.append(held["username"])
                done[0] += 1
                time.sleep(0.05)

    workers = [threading.Thread(target=job) for _ in range(2)]
    for worker in workers:
        worker.start()
        time.sleep(JOB / 2)
    try:
        yield failures
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert done[0] > 20, "the consumers were not running"


def generations(stack: Stack) -> set[str]:
    found = set()
    for resource in stack.state()["resources"]:
        address = address_of(resource["urn"])
        generation = generation_of(address.type, address.name, (resource.get("inputs") or {}).get("name"))
        found |= {generation} if generation else set()
    return found


def secrets_of(stack: Stack) -> set[str]:
    """Return the values of all stored credentials that OpenBao hands out."""
    paths = ("ci/registry/push", "review/registry/pull", "packages/portal", "operations/mirror/copy")
    found: dict[str, Any] = {}
    for path in paths:
        found |= {f"{path} {key}": value for key, value in fetched(stack.lab, path).items()}
    return {value for key, value in found.items() if key.rpartition(" ")[2] in {"password", "token"}}


def test_a_consumer_never_fails_during_a_rotation(stack: Stack, tmp_path: Path) -> None:
    stack.usine("up").must()
    said, values = [], secrets_of(stack)
    first = fetched(stack.lab, "ci/registry/push")
    with consumers(stack.lab) as failures:
        said.append(stack.usine("rotate", "alpha").must().output)
        assert "generation" in said[-1]
        again = stack.usine("rotate", "alpha")
        assert (again.exit_code, "not applied" in again.output) == (3, True), again.output
        said.append(stack.usine("up").must().output)
        second = fetched(stack.lab, "ci/registry/push")
        values |= secrets_of(stack)
        assert second["username"] != first["username"]
        assert pushes(stack.lab, first), "the old one still works"
        early = stack.usine("rotate", "alpha")
        assert (early.exit_code, "it stays until" in early.output) == (3, True), early.output
        said += [again.output, early.output]
        time.sleep(JOB)
        said.append(stack.usine("rotate", "alpha", "--grace", f"{int(JOB) + 1}s").must().output)
        assert "taken away" in said[-1]
        said.append(stack.usine("up", "--json", str(tmp_path / "up.json")).must().output)
        time.sleep(JOB)
        assert failures == []
    assert not pushes(stack.lab, first), "the old one is gone"
    assert len(generations(stack)) == 1
    removed = as_json.load((tmp_path / "up.json").read_text(encoding="utf-8"))
    assert removed.counts()[Action.DESTROYED] > 0
    said.append(stack.usine("up", "--expect-no-changes").must().output)
    scan = stack.usine("drift", "--html", str(tmp_path / "drift.html"), "--history", str(tmp_path / "history")).must()
    assert "stored credentials" in scan.output
    said += [scan.output, (tmp_path / "drift.html").read_text(encoding="utf-8")]
    assert stack.usine("rotate", "alpha", "--continue").must().output.startswith("no rotation of alpha is under way")
    assert not [value for value in values for text in said if value in text], "a secret is in an output"


def test_a_revoked_credential_is_refused_at_once_and_another_one_is_handed_out(stack: Stack) -> None:
    (generation,) = generations(stack)
    before = live.vault(stack.lab)
    robot, reader = fetched(stack.lab, "ci/registry/push"), fetched(stack.lab, "packages/portal")
    mirror = fetched(stack.lab, "operations/mirror/copy")
    wrong = stack.usine("revoke", "alpha", "--credential", "harbor/robot/psh")
    assert (wrong.exit_code, f"did you mean harbor/robot/push-{generation}?" in wrong.output) == (1, True), wrong.output
    assert pushes(stack.lab, robot)
    names = (f"harbor/robot/push-{generation}", f"gitlab/package-reader/portal/{generation}",
             "gitlab/copy/mirror-token")  # fmt: skip
    done = stack.usine("revoke", "alpha", *(part for name in names for part in ("--credential", name))).must()
    assert not pushes(stack.lab, robot)
    new = fetched(stack.lab, "ci/registry/push")
    assert pushes(stack.lab, new)
    assert new["username"] == robot["username"]
    assert fetched(stack.lab, "packages/portal")["password"] != reader["password"]
    assert fetched(stack.lab, "operations/mirror/copy")["token"] != mirror["token"]
    assert live.vault(stack.lab)["policies"] == before["policies"]
    stack.usine("up", "--expect-no-changes").must()
    stack.usine("drift", "--history", str(stack.folder / "history")).must()
    for value in (robot["password"], reader["password"], mirror["token"], new["password"]):
        assert value not in done.output
