"""A tenant's package registry, checked on plans: formats, levels, readers."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from model.repository import Mirror
from model.settings import Credential
from model.tenant import PackageFormat, PackageRegistry, State
from pulumi_facts.generations import generation_of
from pulumi_facts.values import SECRET
from tests import factories
from tests.components.test_forge import of
from tests.plans import plan_of

RULE = "ProjectPackageProtectionRule"
TOKEN = "GroupDeployToken"
MIRRORED = dataclasses.replace(factories.app("miroir"), mirror=Mirror("https://git.example.fr/x.git", "0 4 * * *"))
READERS = PackageRegistry(keep_versions=5, readers=("portail",))


def test_maintainers_publish_the_formats_of_the_file_and_nobody_the_others() -> None:
    plan = plan_of(factories.tenant(packages=(PackageFormat.NPM, PackageFormat.PYPI)))
    for repository in ("api", "deploy"):
        rules = of(plan, RULE, f"teleservice/gitlab/{repository}/")
        levels = {r.inputs["packageType"]: r.inputs["minimumAccessLevelForPush"] for r in rules}
        listed = dict.fromkeys(("npm", "pypi"), "maintainer")
        assert levels == {**dict.fromkeys(("conan", "generic", "helm", "maven", "nuget"), "admin"), **listed}
        assert {r.inputs["packageNamePattern"] for r in rules} == {"*"}
        assert {r.inputs["project"] for r in rules} == {f"[id of teleservice/gitlab/{repository}/project]"}


@pytest.mark.parametrize(("formats", "on"), [((), False), ((PackageFormat.NPM,), True)])
def test_a_registry_without_formats_and_that_of_a_mirror_are_off(
    formats: tuple[PackageFormat, ...], *, on: bool
) -> None:
    plan = plan_of(factories.tenant(packages=formats, repositories=(factories.app(), MIRRORED)))
    projects = {r.name.split("/")[2]: r.inputs.get("packagesEnabled") for r in of(plan, "Project", "teleservice/gitlab")
                if r.name.endswith("/project")}  # fmt: skip
    assert (projects["api"], projects["miroir"]) == (on, False)
    assert {r.name.split("/")[2] for r in of(plan, RULE, "teleservice/")} == ({"api"} if on else set())
    variables = {r.inputs["key"]: r.inputs["value"] for r in of(plan, "GroupVariable", "teleservice/")}
    assert variables == {
        "USINE_TENANT": "teleservice",
        "USINE_FINDINGS": "high",
        **({"USINE_PACKAGES": "npm"} if on else {}),
    }


def test_pipelines_get_the_formats_and_the_versions_to_keep() -> None:
    plan = plan_of(factories.tenant(packages=(PackageFormat.NPM, PackageFormat.PYPI), package_registry=READERS))
    variables = {r.inputs["key"]: r.inputs["value"] for r in of(plan, "GroupVariable", "teleservice/")}
    assert (variables["USINE_PACKAGES"], variables["USINE_PACKAGES_KEEP"]) == ("npm pypi", "5")


def test_a_reader_has_a_token_per_generation_and_the_last_one_is_in_vault() -> None:
    both = factories.settings(credentials=(Credential("1", datetime.date(2027, 1, 31)), Credential("2")))
    tenant = factories.tenant(packages=(PackageFormat.NPM,), package_registry=READERS)
    plan = plan_of(tenant, settings=both)
    tokens = of(plan, TOKEN, "teleservice/")
    assert [(r.inputs["name"], r.inputs.get("expiresAt")) for r in tokens] == [
        ("packages-portail-1", "2027-01-31T23:59:59Z"),
        ("packages-portail-2", None),
    ]
    assert {str(r.inputs["scopes"]) for r in tokens} == {"['read_package_registry']"}
    assert {r.inputs["group"] for r in tokens} == {"[id of teleservice/gitlab/group]"}
    assert [generation_of(r.type, r.name, r.inputs["name"]) for r in tokens] == ["1", "2"]
    (handed,) = [r for r in of(plan, "SecretV2", "teleservice/") if r.inputs["name"] == "packages/portail"]
    assert handed.inputs["dataJson"] == SECRET
    sources = {source.rpartition("::")[2] for source in handed.sources["dataJson"]}
    assert {source for source in sources if "reader" in source} == {"teleservice/gitlab/package-reader/portail/2"}


@pytest.mark.parametrize(("state", "reads"), [(State.ACTIVE, True), (State.SUSPENDED, True), (State.ARCHIVED, False)])
def test_readers_read_until_the_tenant_is_archived(state: State, *, reads: bool) -> None:
    plan = plan_of(factories.tenant(state=state, packages=(PackageFormat.NPM,), package_registry=READERS))
    assert bool(of(plan, TOKEN, "teleservice/")) is reads
    assert len(of(plan, RULE, "teleservice/gitlab/api/")) == 7, "the rules stay with the data"


def test_no_machine_of_the_platform_reads_the_tokens_of_readers() -> None:
    plan = plan_of(factories.tenant(packages=(PackageFormat.NPM,), package_registry=READERS))
    machines = [r for r in of(plan, "Policy", "teleservice/vault/") if "/policy/role/" not in r.name]
    assert machines
    for policy in machines:
        for line in str(policy.inputs["policy"]).splitlines():
            if line.startswith("path"):
                assert not line.startswith(('path "teleservice/data/packages', 'path "teleservice/data/*'))
