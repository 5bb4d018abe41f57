"""A system that fails, fails its own part: the others are applied, the report says which tenants it touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lab import platform, process
from lab.secrets import Secrets
from tests.engine import live
from tests.engine.harness import ROOT, Stack
from tests.engine.test_platform import ALPHA, BETA
from tests.lab_fixture import TestLab
from usine.report import as_json
from usine.report.model import Action

pytestmark = pytest.mark.servers


@pytest.fixture
def stack(lab: TestLab, tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(lab, "lab", tmp_path / "lab")
    stack.tenant("alpha", ALPHA)
    stack.tenant("beta", BETA)
    yield stack
    platform.up(lab.home)
    stack.close()


def usine(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "usine", *arguments, "--settings", str(stack.settings_file)],
        cwd=ROOT,
        env={**os.environ, "USINE_LAB_HOME": str(stack.lab.home.root), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_a_system_that_is_down_stops_neither_the_others_nor_the_next_run(stack: Stack, tmp_path: Path) -> None:
    assert usine(stack, "up").returncode == 0
    before = live.keycloak(stack.lab)["groups"]["/alpha/developer"]["members"]

    stack.tenant(
        "alpha",
        ALPHA.replace("developer: [emma.leroy]", "developer: [emma.leroy, farid.benali]").replace(
            "prod:", "essai: {stage: dev, cluster: nonprod-1}\n      prod:"
        ),
    )
    process.stop(stack.lab.home, "openbao")
    broken = usine(stack, "up", "--json", str(tmp_path / "run.json"))
    assert broken.returncode == 4, broken.stdout
    told = as_json.load((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert "vault failed for: alpha" in broken.stdout, broken.stdout + broken.stderr
    failed = {(e.system, e.tenant) for e in told.entries if e.action is Action.FAILED}
    assert failed == {("vault", "alpha")}
    assert {e.system for e in told.entries if e.action is Action.CREATED} >= {"keycloak", "kubernetes"}
    assert "Traceback" not in broken.stdout + broken.stderr
    groups = live.keycloak(stack.lab)["groups"]
    assert groups["/alpha/developer"]["members"] == sorted([*before, "farid.benali"])
    assert "namespaces//alpha-essai" in live.kubernetes(stack.lab)

    platform.up(stack.lab.home)
    mended = usine(stack, "up")
    assert mended.returncode == 0, mended.stdout
    assert stack.drift().must().steps == ()
    assert "alpha.env.essai" in live.vault(stack.lab)["policies"]


def fault(port: int, token: str, **what: object) -> None:
    """Have a stand-in server break its next answers; without a word, mend them."""
    url, headers = f"http://127.0.0.1:{port}/-/lab/faults", {"X-Lab-Token": token}
    answer = httpx.post(url, json=what, headers=headers) if what else httpx.delete(url, headers=headers)
    assert answer.is_success, answer.text


def test_a_throttled_gitlab_is_waited_for_and_a_broken_harbor_fails_alone(stack: Stack) -> None:
    lab, known = stack.lab, Secrets.load(stack.lab.home)
    ports = lab.home.ports
    assert usine(stack, "up").returncode == 0
    stack.tenant("alpha", ALPHA.replace("api: {kind: app}", "api: {kind: app}\n      web: {kind: app}"))
    stack.tenant("beta", BETA + "registry: {immutable: [release-*]}\n")
    fault(ports.gitlab, known.gitlab_token, method="POST", status=429, retry_after=1, times=3)
    fault(ports.harbor, known.harbor_password, path=".*/immutabletagrules", method="POST", status=500, times=-1)
    try:
        broken = usine(stack, "up")
    finally:
        fault(ports.gitlab, known.gitlab_token)
        fault(ports.harbor, known.harbor_password)
    said = broken.stdout + broken.stderr
    assert broken.returncode == 4, said
    assert "harbor failed for: beta" in said, said
    assert "Traceback" not in said
    assert "tenants/alpha/web" in live.snapshot(lab)["gitlab"]["projects"]
    mended = usine(stack, "up")
    assert mended.returncode == 0, mended.stdout
    assert live.snapshot(lab)["harbor"]["projects"]["beta"]["immutable"] == ["release-*"]
    assert stack.drift().must().steps == ()


def test_bad_input_touches_nothing(stack: Stack) -> None:
    assert usine(stack, "up").returncode == 0
    before = live.snapshot(stack.lab)
    stack.tenant("alpha", ALPHA.replace("stage: prod", "stage: prd"))
    (stack.projects / "gamma.yaml").write_text("slug: gamma\nslug: gamma\n", encoding="utf-8")
    refused = usine(stack, "up")
    assert refused.returncode == 1
    assert "alpha.yaml:" in refused.stdout + refused.stderr
    assert "gamma.yaml:2:1:" in refused.stdout + refused.stderr
    plain = stack.guarded_up()
    assert plain.exit_code != 0
    assert "gamma.yaml:2:1:" in plain.output
    assert "Traceback" not in plain.output
    assert live.snapshot(stack.lab) == before
    (stack.projects / "gamma.yaml").unlink()
    stack.tenant("alpha", ALPHA)
