"""Runners of the platform: protected and unprotected apart, tokens in Vault, tags of the catalogue's jobs."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from model.naming import PLATFORM_MOUNT, RUNNER_VARIABLE, RunnerPurpose
from model.reading.catalogue import FOLDER, read_catalogue
from model.settings import Credential, HarborSettings, ProxyCache, RunnerSettings, Settings
from pulumi_facts.values import SECRET
from tests import factories
from tests.plans import plan_of
from tests.spec.helpers import ROOT
from usine.plan import Plan, PlannedResource

PROXY = ProxyCache("docker", "docker.io", "https://hub.docker.com", public=False, quota=2**30)


def settings(**changes: Any) -> Settings:
    base = factories.settings(credentials=(Credential("1"), Credential("2")), harbor=HarborSettings(proxies=(PROXY,)))
    forge = dataclasses.replace(base.gitlab, runners=RunnerSettings(timeout=3600))
    return dataclasses.replace(base, gitlab=forge, **changes)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of(factories.tenant(), settings=settings())


def of(plan: Plan, type_: str) -> list[PlannedResource]:
    return [r for r in plan.resources if r.type == type_]


def test_each_runner_takes_jobs_of_one_kind_only(plan: Plan) -> None:
    prefix = "foundation/gitlab/runner/"
    runners = {r.name.removeprefix(prefix): r.inputs for r in of(plan, "gitlab:index/userRunner:UserRunner")}
    assert runners.keys() == {f"{purpose.value}-{generation}" for purpose in RunnerPurpose for generation in "12"}
    for name, runner in runners.items():
        purpose = name.partition("-")[0]
        assert runner["tagLists"] == [purpose]
        assert (runner["untagged"], runner["locked"], runner["maximumTimeout"]) == (False, True, 3600)
        assert runner["accessLevel"] == ("not_protected" if purpose == "unprotected" else "ref_protected")
        # The platform's scheduled work is not below the tenants' root group, nor the tenants' jobs below the other.
        where = "operations" if purpose == "operations" else "root"
        assert (runner["runnerType"], runner["groupId"]) == ("group_type", f"[id of foundation/gitlab/{where}]")


def test_only_pipelines_of_protected_refs_see_the_tag_of_the_protected_runner(plan: Plan) -> None:
    variables = [
        r.inputs for r in of(plan, "gitlab:index/groupVariable:GroupVariable") if r.inputs["key"] == RUNNER_VARIABLE
    ]
    assert {str(one["group"]): (one["value"], one["protected"]) for one in variables} == {
        "[id of foundation/gitlab/root]": ("protected", True),
        "[id of foundation/gitlab/operations]": ("operations", True),
    }


def test_tokens_are_secrets_in_a_mount_that_no_policy_of_a_tenant_names(plan: Plan) -> None:
    secrets = {str(r.inputs["name"]): r.inputs for r in of(plan, "vault:kv/secretV2:SecretV2") if r.tenant is None}
    paths = {f"operations/runners/{purpose.value}" for purpose in RunnerPurpose} | {"operations/registry/proxies"}
    assert secrets.keys() == paths
    assert {(one["mount"], one["dataJson"]) for one in secrets.values()} == {(PLATFORM_MOUNT, SECRET)}
    policies = json.dumps([r.inputs for r in of(plan, "vault:index/policy:Policy")])
    assert policies != "[]"
    assert PLATFORM_MOUNT not in policies


def test_without_runners_and_proxies_nothing_is_declared() -> None:
    plain = plan_of(factories.tenant())
    assert of(plain, "gitlab:index/userRunner:UserRunner") == []
    assert not [r for r in of(plain, "vault:index/mount:Mount") if r.inputs["path"] == PLATFORM_MOUNT]
    assert not [r for r in plain.resources if r.inputs.get("key") == RUNNER_VARIABLE]


def tags(texts: Mapping[str, str], path: str) -> object:
    return list(yaml.safe_load_all(texts[path]))[-1]["default"]["tags"]


@pytest.mark.parametrize("path", ["jobs/base.yml", "mirror.yml"])
def test_jobs_have_a_tag_only_where_the_runners_are_declared(path: str) -> None:
    assert tags(read_catalogue(ROOT / FOLDER, settings()), path) == [f"${RUNNER_VARIABLE}"]
    assert tags(read_catalogue(ROOT / FOLDER, factories.settings()), path) == []


def test_the_configuration_to_copy_has_no_privileges_and_shares_nothing() -> None:
    page = (ROOT / "docs" / "runners.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.S)
    (runner,) = tomllib.loads(block)["runners"]
    pods = runner["kubernetes"]
    assert (pods["privileged"], pods["automount_service_account_token"], pods["pull_policy"]) == (
        False,
        False,
        ["always"],
    )
    assert pods["pod_security_context"]["run_as_non_root"] is True
    assert pods["build_container_security_context"]["capabilities"] == {"drop": ["ALL"], "add": ["SETUID", "SETGID"]}
    assert "volumes" not in pods, "no folder of the host"
    assert not {"environment", "cache"} & runner.keys()
