"""`usine up` and `usine preview` with their guards, on the real engine. Tests share one stack, in order.

One system is enough for these tests, and quick.
"""

from __future__ import annotations

import copy
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.secrets import Secrets
from lab.testing.platforms import TestLab
from tests.engine import live
from tests.engine.harness import ROOT, Stack, ended
from tests.engine.tenants import ALPHA_WITHOUT_HARBOR as ALPHA
from tests.engine.tenants import BETA
from usine.engine.sources import state_digest
from usine.report import as_json
from usine.report.model import Action, Kind, Report

pytestmark = [pytest.mark.servers, pytest.mark.random_order(disabled=True)]

#: Alpha with another environment: a policy and a role in OpenBao, the only system here.
MORE = ALPHA.replace("prod:", "essai: {stage: dev, cluster: nonprod-1}\n      prod:", 1)
POLICY = "alpha.env.essai"


@pytest.fixture(scope="module")
def stack(light_lab: TestLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(light_lab, "guard", tmp_path_factory.mktemp("guard") / "guard", checkpoints=True)
    stack.configure(systems=["vault"])
    stack.tenant("alpha", ALPHA)
    stack.tenant("beta", BETA)
    yield stack
    stack.close()


def start(stack: Stack, *arguments: str) -> subprocess.Popen[str]:
    return stack.start(*arguments, GITLAB_USER_LOGIN="ann")


def usine(stack: Stack, *arguments: str) -> tuple[int, str]:
    done = ended(start(stack, *arguments))
    return done.exit_code, done.output


def report(path: Path) -> Report:
    return as_json.load(path.read_text(encoding="utf-8"))


def held(stack: Stack) -> dict[str, Any]:
    """Return the newest record of the stack's lock; empty when there is none or it is incomplete."""
    folder = stack.lab.home.state / ".usine" / "locks" / stack.name
    newest = max(folder.glob("*.json"), default=None)
    try:
        record: dict[str, Any] = json.loads(newest.read_text(encoding="utf-8")) if newest else {}
    except json.JSONDecodeError:
        return {}
    return record


def wait_for_the_engine(stack: Stack, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        record = held(stack)
        if record and not record["released"] and record["owner"]["process"]["pid"] == process.pid and record["engine"]:
            return
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        time.sleep(0.01)
    raise AssertionError("the engine was not started")


def snapshot(stack: Stack) -> dict[str, Any]:
    return live.vault(stack.lab)


def test_a_bound_plan_is_applied_as_reviewed_or_refused(stack: Stack, tmp_path: Path) -> None:
    plan, written = tmp_path / "plan.json", tmp_path / "preview.json"
    before = snapshot(stack)
    code, output = usine(stack, "preview", "--out", str(plan), "--json", str(written))
    assert code == 0, output
    seen = report(written)
    assert seen.kind is Kind.DIFF
    assert {entry.action for entry in seen.entries} == {Action.CREATED}
    assert seen.tenants == ("alpha", "beta")
    assert "state" in json.loads(plan.read_text("utf-8"))["sources"]

    stack.configure(limits={"environments": 9})
    assert "the settings changed" in refused(usine(stack, "up", "--plan", str(plan)))
    stack.configure(limits=None)
    stack.tenant("alpha", MORE)
    assert "the tenants' files changed" in refused(usine(stack, "up", "--plan", str(plan)))
    stack.tenant("alpha", ALPHA)
    other = json.loads(plan.read_text("utf-8"))
    other["sources"]["commit"] = "0" * 40
    (tmp_path / "other.json").write_text(json.dumps(other), encoding="utf-8")
    assert "the commit moved: was 000000000000, is " in refused(
        usine(stack, "up", "--plan", str(tmp_path / "other.json"))
    )
    assert snapshot(stack) == before

    code, output = usine(stack, "up", "--plan", str(plan), "--json", str(tmp_path / "up.json"))
    assert code == 0, output
    done = report(tmp_path / "up.json")
    assert done.kind is Kind.RUN
    assert {(e.tenant, e.system, e.name) for e in done.entries} == {(e.tenant, e.system, e.name) for e in seen.entries}
    assert all(entry.seconds is not None for entry in done.entries)

    assert "the state changed" in refused(usine(stack, "up", "--plan", str(plan)))


def refused(ended: tuple[int, str]) -> str:
    code, output = ended
    assert code == 1, output
    assert "nothing was touched" in output
    return output


def test_a_bound_plan_stays_valid_after_a_run_that_changes_nothing(stack: Stack, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    stack.tenant("alpha", MORE)
    assert usine(stack, "preview", "--out", str(plan))[0] == 0
    stack.tenant("alpha", ALPHA)
    digest = state_digest(stack.engine.export_state())
    code, output = usine(stack, "up", "--expect-no-changes")
    assert (code, "No changes." in output) == (0, True), output
    assert state_digest(stack.engine.export_state()) == digest
    stack.tenant("alpha", MORE)
    other = json.loads(plan.read_text("utf-8"))
    other["steps"].append(["delete", other["steps"][0][1]])
    (tmp_path / "other.json").write_text(json.dumps(other), encoding="utf-8")
    assert "no longer planned: delete" in refused(usine(stack, "up", "--plan", str(tmp_path / "other.json")))
    code, output = usine(stack, "up", "--plan", str(plan))
    assert code == 0, output
    assert POLICY in snapshot(stack)["policies"]


def test_a_state_that_was_edited_manually_destroys_nothing(stack: Stack) -> None:
    before, good = snapshot(stack), stack.engine.export_state()

    edited: Any = copy.deepcopy(good)
    resources = edited["deployment"]["resources"]
    policies = [r for r in resources if r["type"] == "vault:index/policy:Policy"]
    resources += [{**policy, "urn": f"{policy['urn']}-again"} for policy in policies]
    stack.engine.import_state(edited)
    output = refused(usine(stack, "up"))
    assert (
        f"{len(policies)} of {2 * len(policies)} objects of type vault:index/policy:Policy would be removed" in output
    )
    assert f"--allow-removals vault:index/policy:Policy={len(policies)}" in output
    assert usine(stack, "preview")[0] == 1

    edited = copy.deepcopy(good)
    mount = next(r for r in edited["deployment"]["resources"] if r["type"] == "vault:index/mount:Mount")
    mount["inputs"]["type"] = mount["outputs"]["type"] = "pki"  # as if it had another type, so that it is replaced
    mount.pop("protect")
    stack.engine.import_state(edited)
    assert "holds data and would be replaced" in refused(usine(stack, "up"))

    stack.engine.import_state(good)
    assert snapshot(stack) == before
    assert usine(stack, "up", "--expect-no-changes")[0] == 0


def test_data_is_destroyed_only_after_its_tenant_was_archived(stack: Stack) -> None:
    gamma = BETA.replace("beta@", "gamma@")
    stack.tenant("gamma", gamma)
    assert usine(stack, "up")[0] == 0
    stack.remove("gamma")
    before = snapshot(stack)
    code, output = usine(stack, "up")
    assert code == 1, output
    assert "gamma" in output
    assert "archive" in output
    assert snapshot(stack) == before
    stack.tenant("gamma", gamma + "state: archived\n")
    code, output = usine(stack, "up")
    assert code == 0, output
    stack.remove("gamma")
    code, output = usine(stack, "up")
    assert code == 0, output
    assert "gamma/" not in live.vault(stack.lab)["mounts"]


def test_a_second_run_is_refused_with_the_owner_s_name_or_waits(stack: Stack) -> None:
    stack.tenant("alpha", ALPHA)
    first = start(stack, "up")
    wait_for_the_engine(stack, first)
    code, output = usine(stack, "up")
    assert code == 1
    assert re.search(rf"locked by ann on \S+ \(process {first.pid}\), since .* UTC, commit [0-9a-f]{{12}}", output)
    code, output = usine(stack, "up", "--wait", "10m", "--expect-no-changes")
    assert f"waiting for ann on {held(stack)['owner']['process']['host']}" in output
    assert code == 0, output
    assert first.wait(60) == 0


def test_the_next_run_waits_for_an_engine_that_outlives_its_run_and_recovers(stack: Stack, tmp_path: Path) -> None:
    stack.tenant("alpha", MORE)
    first = start(stack, "up")
    wait_for_the_engine(stack, first)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    code, output = usine(stack, "up", "--wait", "10m", "--json", str(tmp_path / "up.json"))
    assert code == 0, output
    assert f"took over the lock of ann on {held(stack)['owner']['process']['host']} (process {first.pid})" in output
    assert any("took over from an interrupted run" in n.text for n in report(tmp_path / "up.json").notices)
    assert not stack.state().get("pending_operations")
    assert stack.drift().must().steps == ()


def test_a_cancelled_run_releases_its_lock(stack: Stack) -> None:
    stack.tenant("alpha", ALPHA)
    process = start(stack, "up")
    wait_for_the_engine(stack, process)
    os.kill(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert held(stack)["released"]
    code, output = usine(stack, "up")
    assert code == 0, output
    assert "took over" not in output


def test_reports_have_no_credential_and_plain_pulumi_still_works(stack: Stack, tmp_path: Path) -> None:
    marker = "MARKER-c4c1-never-in-clear"
    stack.lab.vault.secrets.kv.v2.create_or_update_secret("env/dev/db", {"value": marker}, mount_point="alpha")
    stack.tenant("beta", BETA.replace("dev: {", "essai: {stage: dev, cluster: nonprod-1}\n      dev: {"))
    files = [tmp_path / f"run.{form}" for form in ("json", "html", "markdown")]
    options = [part for path in files for part in (f"--{path.suffix[1:]}", str(path))]
    code, output = usine(stack, "up", *options, "--refresh")
    assert code == 0, output
    text = output + "".join(path.read_text(encoding="utf-8") for path in files)
    known = Secrets.load(stack.lab.home)
    for secret in (marker, known.vault_token, known.keycloak_password, known.gitlab_token, known.pulumi_passphrase):
        assert secret not in text
    assert report(files[0]).entries
    assert stack.guarded_up("--policy-pack", str(ROOT / "policy"), "--expect-no-changes").must().steps == ()
