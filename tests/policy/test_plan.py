"""The pack over offline plans, and the platform's settings for it."""

from __future__ import annotations

import argparse
import datetime
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.problems import SpecError
from model.settings import Credential, System
from model.tenant import State
from policy.config import config_of, read_config
from policy.model import Level
from policy.registry import BY_ID, Setting
from tests import factories
from tests.plans import plan_of, plan_of_samples
from usine.commands import plan as command
from usine.commands.common import ROOT
from usine.plan import Plan
from usine.plan.policies import check_plan, lines, notices, refuses
from usine.report.model import Severity


@pytest.fixture
def sample() -> Plan:
    return plan_of_samples()


def test_the_sample_tenants_violate_no_policy(sample: Plan) -> None:
    config = config_of(ROOT / "policy", "lab")
    assert config is not None
    assert check_plan(sample, read_config(config)) == ()
    # The only settings of the local platform: its credentials do not expire.
    found = check_plan(sample)
    assert {violation.policy.id for violation in found} == {"generation-token-expires"}
    assert not refuses(found)
    assert len(list(lines(found))) == 2


@pytest.mark.parametrize("state", State)
def test_the_production_settings_violate_no_policy(state: State) -> None:
    settings = factories.settings(credentials=(Credential("1", datetime.date(2027, 3, 31)),), stack="prod")
    plan = plan_of(factories.tenant("a-b", state=state), settings=settings)
    assert check_plan(plan) == ()


def changed(plan: Plan, name: str, **inputs: Any) -> Plan:
    """Return the plan with some inputs of one resource changed."""
    assert [r.name for r in plan.resources].count(name) == 1
    return Plan(tuple(replace(r, inputs={**r.inputs, **inputs}) if r.name == name else r for r in plan.resources))


@pytest.mark.parametrize(
    ("name", "inputs", "policy"),
    [
        ("teleservice/gitlab/group", {"visibilityLevel": "public"}, "gitlab-private"),
        ("teleservice/harbor/robot/push-1", {"duration": -1}, "robot-life-finite"),
        (
            "teleservice/vault/pipelines/jwt-role/ci",
            {"boundClaims": {"namespace_id": "7", "pipeline_source": "push"}},
            "jwt-role-bound",
        ),
        (
            "teleservice/vault/policy/env/dev",
            {"policy": 'path "*" { capabilities = ["read"] }'},
            "vault-policy-own-paths",
        ),
        ("teleservice/kubernetes/dev/network/default-deny", {"spec": {}}, "namespace-guarded"),
        ("teleservice/kubernetes/dev/pull-secret", {"data": {"a": "b"}}, "secret-store-encrypted"),
    ],
)
def test_a_wrong_component_is_found(sample: Plan, name: str, inputs: dict[str, Any], policy: str) -> None:
    found = check_plan(changed(sample, name, **inputs), {"generation-token-expires": Setting(Level.DISABLED)})
    assert {violation.policy.id for violation in found} == {policy}
    (line,) = lines(found)
    subject = name if policy != "namespace-guarded" else "teleservice/kubernetes/dev/namespace"
    assert line.startswith(f"{subject}: {policy}: ")
    assert line.endswith(f"To fix: {BY_ID[policy].remedy}")
    assert refuses(found)
    (notice,) = notices(found)
    assert (notice.rule, notice.severity, notice.tenant) == (policy, Severity.ERROR, "teleservice")
    assert notice.refuses


def test_only_data_of_an_archived_tenant_may_lose_its_protection(sample: Plan) -> None:
    bare = Plan(tuple(replace(r, protect=False) for r in sample.resources))
    found = {v.resource.name for v in check_plan(bare) if v.policy.id == "data-protected"}
    expected = {r.name for r in sample.resources if r.protect}
    assert found == expected
    assert not any(name.startswith("annuaire-2019/") for name in found)


def test_a_platform_with_fewer_systems_violates_no_policy() -> None:
    settings = factories.settings(systems=frozenset({System.KEYCLOAK, System.VAULT}))
    assert check_plan(plan_of(factories.tenant(), settings=settings)) == ()


# The command -------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.register(parser.add_subparsers())
    args = parser.parse_args(["plan", "--json", "-", *arguments])
    return int(args.run(args))


def test_the_command_refuses_with_one_line_for_each_resource(
    sample: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "make_plan", lambda *_: sample)  # the plan is made once
    assert run("--policy") == 0
    output = capsys.readouterr()
    assert output.err == f"{len(BY_ID)} policies: all mandatory ones hold\n"
    assert json.loads(output.out)["resources"]

    config = tmp_path / "lab.json"
    config.write_text('{"generation-token-expires": "mandatory"}', encoding="utf-8")
    monkeypatch.setattr(command, "config_of", lambda _pack, _stack: config)
    assert run() == 0
    assert capsys.readouterr().err == ""
    assert run("--policy") == 1
    *refusals, verdict = capsys.readouterr().err.splitlines()
    assert len(refusals) == 17
    assert all("generation-token-expires" in line for line in refusals)
    assert verdict.endswith("policies: refused")

    config.write_text('{"gitlab-privat": "disabled"}', encoding="utf-8")
    assert run("--policy") == 1
    assert "lab.json:1:2: no such policy" in capsys.readouterr().err


# Settings of a platform --------------------------------------------------------------------------------------------


def read(folder: Path, text: str) -> dict[str, Setting]:
    file = folder / "prod.json"
    file.write_text(text, encoding="utf-8")
    return dict(read_config(file))


def test_levels_and_limits_are_read(tmp_path: Path) -> None:
    text = '{"harbor-private": "disabled", "robot-life-finite": {"enforcementLevel": "advisory", "maxDays": 90}}'
    assert read(tmp_path, text) == {
        "harbor-private": Setting(Level.DISABLED),
        "robot-life-finite": Setting(Level.ADVISORY, 90),
    }
    everywhere = read(tmp_path, '{"all": "advisory", "jwt-role-bound": "mandatory"}')
    assert everywhere.keys() == BY_ID.keys()
    assert everywhere["jwt-role-bound"] == Setting(Level.MANDATORY)
    assert everywhere["harbor-private"] == Setting(Level.ADVISORY)


def test_all_problems_are_reported_at_once_with_their_places(tmp_path: Path) -> None:
    text = """\
{
  "gitlab-privat": "disabled",
  "harbor-private": "disable",
  "robot-life-finite": {"maxDay": 3, "enforcementLevel": "on"},
  "login-life-finite": {"maxSeconds": 0},
  "jwt-role-bound": {"maxDays": 1}
}
"""
    with pytest.raises(SpecError) as raised:
        read(tmp_path, text)
    said = [str(problem).removeprefix(f"{tmp_path}/prod.json:") for problem in raised.value.problems]
    assert [line.split(": ", 1)[0] for line in said] == ["2:3", "3:21", "4:25", "4:58", "5:39", "6:22"]
    assert "did you mean gitlab-private?" in said[0]
    assert "did you mean disabled?" in said[1]
    assert "did you mean maxDays?" in said[2]
    assert "allowed: mandatory, advisory, disabled" in said[3].casefold()
    assert "whole number, 1 or more" in said[4]


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"'])
def test_a_file_that_is_not_a_mapping_is_reported(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpecError):
        read(tmp_path, text)


def test_a_missing_file_is_reported_if_it_was_named(tmp_path: Path) -> None:
    assert config_of(tmp_path, "prod") is None
    with pytest.raises(SpecError, match="No such file"):
        read_config(tmp_path / "prod.json")
