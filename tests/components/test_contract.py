"""Conditions on every component, checked on all resources of a plan."""

from __future__ import annotations

import gc
import importlib
import json
import pkgutil
import re
import sys
from collections import Counter
from typing import Any

import pulumiverse_harbor as harbor
import pytest
from google.protobuf import empty_pb2

import components
from components.harbor import HarborTenant, HarborTenantArgs
from model.naming import DOMAIN
from model.settings import Credential, FoundationMode, System
from model.tenant import State
from pulumi_facts.data_bearing import DATA_BEARING
from pulumi_facts.values import SECRET
from tests import factories
from tests.plans import plan_of, plan_of_slugs
from usine.plan import Plan, PlannedResource, make_plan
from usine.plan.monitor import RecordingMonitor
from usine.plan.run import record

TENANTS = ("teleservice", "a-b", "a")

#: The data-bearing types that belong to the foundation.
FOUNDATION_DATA = {"keycloak:index/realm:Realm"}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of_slugs(TENANTS)


def objects(plan: Plan) -> list[PlannedResource]:
    return [r for r in plan.resources if not (r.is_component or r.is_provider)]


def test_every_object_is_below_a_component(plan: Plan) -> None:
    by_key = {f"{r.type}::{r.name}": r for r in plan.resources}
    for resource in objects(plan):
        assert resource.parent is not None, resource
        ancestor = by_key[resource.parent]
        while not ancestor.is_component:
            assert ancestor.parent is not None, resource
            ancestor = by_key[ancestor.parent]


def test_component_type_tokens_name_package_system_and_class(plan: Plan) -> None:
    systems = {system.value for system in System} | {"usine"}
    components = [r for r in plan.resources if r.is_component]
    assert components
    for component in components:
        package, system, name = component.type.split(":")
        assert (package, system in systems, name.isidentifier()) == ("usine", True, True), component.type
        assert component.system == system


def test_only_the_composing_components_take_all_settings() -> None:
    """The `Args` of the others show what a component uses, so that it is usable without a whole platform."""
    taken: dict[str, str] = {}
    for module in pkgutil.walk_packages(components.__path__, "components."):
        if not module.name.endswith("__main__"):
            for name, found in vars(importlib.import_module(module.name)).items():
                if name.endswith("Args") and found.__module__ == module.name:
                    taken[name] = " ".join(found.__annotations__.values())
    assert len(taken) > 25
    whole = re.compile(r"\b(Settings|Providers|FoundationRefs)\b")
    assert {name for name, types in taken.items() if whole.search(types)} == {"FoundationArgs", "TenantProjectArgs"}


def test_one_component_is_made_without_settings() -> None:
    tenant = factories.tenant()

    def program() -> None:
        provider = harbor.Provider("harbor", url="https://harbor.example.test")
        HarborTenant("teleservice/harbor", HarborTenantArgs(tenant, provider, 180, [Credential("1")]))

    made = {r.type.rpartition(":")[2] for r in record(program, "other").resources}
    assert made >= {"HarborTenant", "Project", "RetentionPolicy", "RobotAccount"}
    assert "ProjectMemberGroup" not in made


def test_logical_names_are_unique_across_tenants_and_start_with_the_slug(plan: Plan) -> None:
    names = Counter((r.type, r.name) for r in plan.resources)
    assert [key for key, count in names.items() if count > 1] == []
    for resource in plan.resources:
        if resource.tenant is not None:
            assert resource.name == resource.tenant or resource.name.startswith(f"{resource.tenant}/"), resource
    assert {r.tenant for r in plan.resources} == {None, *TENANTS}


FORGE_KEYS = (
    *(
        "namespaceId",
        "project",
        "projectId",
        "group",
        "mount",
        "key",
        "branch",
        "tag",
        "filePath",
        "groupName",
        "scope",
    ),
    *("tagMatching", "pipelineScheduleId", "userId"),
)


def physical_names(resource: PlannedResource) -> tuple[object, ...]:
    """Return the name of an object in its system, with the scope in which it must be unique."""
    inputs = resource.inputs
    metadata = inputs.get("metadata")
    if isinstance(metadata, dict) and resource.type.startswith("kubernetes:"):
        return (metadata.get("namespace"), metadata.get("name"))
    keys = ("realmId", "parentId", "clientId", "clientScopeId", "groupId", "backend", "mountAccessor", "path", "name")
    if resource.type == "harbor:index/robotAccount:RobotAccount":
        permissions = inputs["permissions"]
        assert isinstance(permissions, list)
        return (inputs["name"], *(permission["namespace"] for permission in permissions))
    return tuple(inputs.get(key) for key in (*keys, "roleName", "username", "realm", *FORGE_KEYS))


def test_no_two_objects_have_the_same_name(plan: Plan) -> None:
    claims = Counter((r.type, physical_names(r)) for r in objects(plan))
    shared = [key for key, count in claims.items() if count > 1]
    assert shared == []


def test_every_tenant_object_in_kubernetes_carries_the_tenant_label(plan: Plan) -> None:
    labelled = [r for r in objects(plan) if r.tenant and r.type.startswith("kubernetes:")]
    assert {r.system for r in labelled} == {"kubernetes", "argocd", "observability"}
    for resource in labelled:
        metadata = resource.inputs["metadata"]
        assert isinstance(metadata, dict)
        assert metadata["labels"][f"{DOMAIN}/tenant"] == resource.tenant, resource


def test_every_tenant_group_names_its_tenant(plan: Plan) -> None:
    groups = [r for r in objects(plan) if r.type == "keycloak:index/group:Group"]
    identities = [r for r in objects(plan) if r.type == "vault:identity/group:Group"]
    assert groups
    assert identities
    for group in groups:
        assert group.inputs["attributes"] == {"usine.tenant": group.tenant}
    for identity in identities:
        metadata = identity.inputs["metadata"]
        assert isinstance(metadata, dict)
        assert metadata["tenant"] == identity.tenant


def test_exactly_the_data_bearing_resources_are_protected(plan: Plan) -> None:
    protected = {r.type for r in objects(plan) if r.protect}
    assert protected == DATA_BEARING
    assert [r for r in objects(plan) if r.type in DATA_BEARING and not r.protect] == []


def test_archiving_removes_the_protection_of_that_tenant_only() -> None:
    archived = factories.tenant("gone", state=State.ARCHIVED)
    plan = plan_of(archived, factories.tenant("alive"))
    assert [r.name for r in objects(plan) if r.tenant == "gone" and r.protect] == []
    assert {r.type for r in objects(plan) if r.tenant == "alive" and r.protect} == DATA_BEARING - FOUNDATION_DATA


def test_an_explicit_provider_manages_every_object(plan: Plan) -> None:
    assert sorted(r.name for r in plan.resources if r.is_provider) == [
        "gitlab",
        "harbor",
        "keycloak",
        "kubernetes-nonprod-1",
        "kubernetes-prod-1",
        "sonarqube",
        "vault",
    ]


def test_secrets_are_marked(plan: Plan) -> None:
    backends = {r.name: r for r in plan.resources if r.type == "vault:jwt/authBackend:AuthBackend"}
    assert backends["foundation/vault/auth/oidc"].inputs["oidcClientSecret"] == SECRET
    logins = [r for r in plan.resources if r.type == "harbor:index/configAuth:ConfigAuth"]
    assert [r.inputs["oidcClientSecret"] for r in logins] == [SECRET]
    kept = [r for r in plan.resources if r.type == "vault:kv/secretV2:SecretV2"]
    assert kept
    assert {r.inputs["dataJson"] for r in kept} == {SECRET}
    mounted = [r for r in plan.resources if r.type == "kubernetes:core/v1:Secret"]
    assert mounted
    assert {str(r.inputs["data"]) for r in mounted} == {SECRET}


def test_no_credential_is_an_input_of_a_provider(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = "MARKER-0f3a"
    for variable in (
        "VAULT_TOKEN", "KEYCLOAK_PASSWORD", "KEYCLOAK_USER", "KEYCLOAK_CLIENT_SECRET", "KUBECONFIG",
        "GITLAB_TOKEN", "HARBOR_USERNAME", "HARBOR_PASSWORD", "SONAR_TOKEN",
    ):  # fmt: skip
        monkeypatch.setenv(variable, marker)
    planned = make_plan(factories.settings(), [factories.tenant(slug) for slug in TENANTS])
    assert planned.dumps() == plan.dumps()
    assert marker not in planned.dumps()


def test_making_a_plan_does_not_change_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    make_plan(factories.settings(), [])
    assert gc.isenabled()
    assert not hasattr(sys, "tracebacklimit")
    monkeypatch.setattr(sys, "tracebacklimit", 7, raising=False)
    monkeypatch.setattr("stacks.platform.program.Foundation", None)
    gc.disable()
    try:
        with pytest.raises(TypeError):
            make_plan(factories.settings(), [])
        assert not gc.isenabled()
        assert sys.tracebacklimit == 7
    finally:
        gc.enable()


def test_the_plan_does_not_depend_on_the_order_of_tenants(plan: Plan) -> None:
    backwards = make_plan(factories.settings(), [factories.tenant(slug) for slug in reversed(TENANTS)])
    assert backwards.dumps() == plan.dumps()
    assert json.loads(plan.dumps())["resources"][0].keys() >= {"type", "name", "parent", "tenant", "system", "inputs"}


def test_both_state_layouts_create_the_same_objects(plan: Plan) -> None:
    apart = plan_of_slugs(TENANTS, factories.settings(foundation=FoundationMode.ONLY)).resources
    for slug in TENANTS:
        selection = factories.settings(foundation=FoundationMode.SKIP, tenants=(slug,))
        apart += plan_of_slugs(TENANTS, selection).resources

    def keys(resources: tuple[PlannedResource, ...]) -> set[tuple[str, str]]:
        return {(r.type, r.name) for r in resources if not r.is_provider}

    assert keys(apart) == keys(plan.resources)


@pytest.mark.parametrize(
    "system",
    [
        *(System.KEYCLOAK, System.VAULT, System.ARGOCD, System.GITLAB, System.HARBOR, System.SONARQUBE),
        System.OBSERVABILITY,
    ],
)
def test_a_disabled_system_has_no_objects_and_the_others_keep_theirs(plan: Plan, system: System) -> None:
    on = factories.settings().systems - {system}
    less = plan_of(factories.tenant(), settings=factories.settings(systems=on))
    assert system.value not in less.systems
    assert set(less.systems) == set(plan.systems) - {system.value}


def test_every_component_registers_its_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    finished: list[str] = []

    def register_outputs(_monitor: RecordingMonitor, request: Any) -> Any:
        finished.append(request.urn.rsplit("::", 1)[-1])
        return empty_pb2.Empty()

    monkeypatch.setattr(RecordingMonitor, "RegisterResourceOutputs", register_outputs)
    planned = make_plan(factories.settings(), [factories.tenant()])
    components = sorted(r.name for r in planned.resources if r.is_component)
    assert components
    assert sorted(name for name in finished if name in components) == components
