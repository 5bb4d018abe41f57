"""When a system fails, the others are applied, and the report has the tenants with failures."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from lab import platform, process
from lab.secrets import Secrets
from tests.engine import live, live_forge
from tests.engine.fleet import Fleet
from tests.engine.tenants import ALPHA, BETA, GAMMA
from usine.report import as_json
from usine.report.model import Action

pytestmark = [pytest.mark.servers, pytest.mark.standin]


def fault(port: int, token: str, **what: object) -> None:
    """Make a stand-in server fail its next requests; without arguments, make it answer again."""
    url, headers = f"http://127.0.0.1:{port}/-/lab/faults", {"X-Lab-Token": token}
    answer = httpx.post(url, json=what, headers=headers) if what else httpx.delete(url, headers=headers)
    assert answer.is_success, answer.text


def test_failing_systems_do_not_stop_the_other_systems_or_the_next_run(fleet: Fleet, tmp_path: Path) -> None:
    """OpenBao is down, Harbor answers errors, GitLab limits the rate: only the first two fail."""
    stack, lab = fleet.stack, fleet.lab
    before = live.snapshot(lab)
    ports, known = lab.home.ports, Secrets.load(lab.home)
    stack.tenant("alpha", ALPHA.replace("developer: [emma.leroy]", "developer: [emma.leroy, farid.benali]"))
    stack.tenant("beta", BETA + "registry: {immutable: [release-*]}\n")
    stack.tenant("gamma", GAMMA)
    process.stop(lab.home, "openbao")
    fault(ports.gitlab, known.gitlab_token, method="POST", status=429, retry_after=1, times=3)
    rules = f".*/projects/({live_forge.get(lab.harbor, 'projects/beta')['project_id']}|beta)/immutabletagrules"
    fault(ports.harbor, known.harbor_password, path=rules, method="POST", status=500, times=-1)
    try:
        broken = stack.usine("up", "--json", str(tmp_path / "run.json"))
    finally:
        fault(ports.gitlab, known.gitlab_token)
        fault(ports.harbor, known.harbor_password)
        platform.up(lab.home)
    assert broken.exit_code == 4, broken.output
    report = as_json.load((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert "harbor, vault failed for: beta, gamma" in broken.output, broken.output
    assert report.tenants == (None, "alpha", "beta", "gamma")
    failed = {(e.system, e.tenant) for e in report.entries if e.action is Action.FAILED}
    assert failed == {("vault", "gamma"), ("harbor", "beta")}
    assert {e.system for e in report.entries if e.action is Action.CREATED} >= {"keycloak", "kubernetes", "gitlab"}
    now = live.snapshot(lab)
    developers = before["keycloak"]["groups"]["/alpha/developer"]["members"]
    assert now["keycloak"]["groups"]["/alpha/developer"]["members"] == sorted([*developers, "farid.benali"])
    assert "namespaces//gamma-dev" in now["kubernetes"]
    assert "tenants/gamma/deploy" in now["gitlab"]["projects"]

    stack.usine("up").must()
    healed = live.snapshot(lab)
    assert "gamma.env.dev" in healed["vault"]["policies"]
    assert healed["harbor"]["projects"]["beta"]["immutable"] == ["release-*"]
    assert stack.drift().must().steps == ()

    fleet.restore()
    stack.tenant("gamma", GAMMA + "state: archived\n")
    stack.up().must()
    stack.remove("gamma")
    stack.up().must()
    assert live.snapshot(lab) == before


def test_wrong_input_changes_nothing(fleet: Fleet) -> None:
    stack, before = fleet.stack, live.snapshot(fleet.lab)
    stack.tenant("alpha", ALPHA.replace("stage: prod", "stage: prd"))
    (stack.projects / "gamma.yaml").write_text("slug: gamma\nslug: gamma\n", encoding="utf-8")
    refused = stack.usine("up")
    assert refused.exit_code == 1
    assert "alpha.yaml:" in refused.output
    assert "gamma.yaml:2:1:" in refused.output
    plain = stack.guarded_up()
    assert plain.exit_code != 0
    assert "gamma.yaml:2:1:" in plain.output
    assert "Traceback" not in plain.output
    assert live.snapshot(fleet.lab) == before
    fleet.restore()
