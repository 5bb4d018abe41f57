"""The table of inputs that force a replacement, compared with the plugins."""

from __future__ import annotations

import dataclasses
import importlib
import json
from typing import Any

import pytest

from components.sonarqube.dynamic.provider import KINDS, TYPE_PREFIX
from lab.plugins.bridge import BridgedResource
from lab.plugins.kubernetes.changes import immutable
from lab.plugins.server import Host
from pulumi_facts.paths import covers
from tests import factories
from tests.plans import plan_of
from usine.diff import replacement, replacement_table
from usine.plan.model import PlannedResource

TABLE = json.loads(replacement_table.TABLE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("provider", replacement_table.PROVIDERS)
def test_the_table_agrees_with_the_plugins_of_the_lab(provider: str) -> None:
    """By their schemas, and by their decisions during a plan."""
    bridge = importlib.import_module(f"lab.plugins.{provider}.provider").make(Host(None))
    resources: dict[str, BridgedResource[Any]] = bridge._resources
    assert resources
    for token, resource in resources.items():
        expected = {name for name, shape in resource.shape.fields.items() if shape.input and shape.force_new}
        # For these, the lab's plugin only knows the schema.
        expected |= {name for name, replaces in resource.shape.unsupported.items() if replaces}
        if resource.customise is not None and resource.shape.framework:
            expected |= resource.customise({}, {}, {"message": "", "minimumAccessLevelForPush": "admin"})
        assert set(TABLE["replacing"].get(token, ())) == expected, token


def test_the_table_agrees_with_our_own_provider() -> None:
    replacing, compared = replacement_table.sonarqube()
    assert {token: names for token, names in TABLE["replacing"].items() if token.startswith(TYPE_PREFIX)} == replacing
    assert TABLE["compared"] == compared
    assert len(compared) == len(KINDS)


def test_the_table_covers_the_provider_of_every_planned_type() -> None:
    """A new provider must be in the table, or its replacements are shown as changes."""
    plan = plan_of(factories.tenant())
    packages = {r.type.split(":")[0] for r in plan.resources if not (r.is_component or r.is_provider)}
    assert packages == {*replacement_table.PROVIDERS, "kubernetes", "pulumi-python"}


def kubernetes(type_: str, mutable: str | None) -> tuple[PlannedResource, PlannedResource]:
    provider = PlannedResource(
        "pulumi:providers:kubernetes", "k", None, None, "kubernetes",
        {} if mutable is None else {"enableSecretMutable": mutable, "enableConfigMapMutable": mutable}, False,
    )  # fmt: skip
    return PlannedResource(f"kubernetes:{type_}", "x", None, None, "kubernetes", {}, False), provider


@pytest.mark.parametrize("mutable", [None, "false", "true"])
@pytest.mark.parametrize(
    "type_",
    [
        *("core/v1:Namespace", "core/v1:ResourceQuota", "core/v1:Secret", "core/v1:ConfigMap", "core/v1:Service"),
        *("rbac.authorization.k8s.io/v1:RoleBinding", "rbac.authorization.k8s.io/v1:ClusterRoleBinding"),
        *("apps/v1:Deployment", "apps/v1:StatefulSet", "batch/v1:Job", "argoproj.io/v1alpha1:Application"),
    ],
)
def test_immutable_kubernetes_fields_are_those_of_the_plugin(type_: str, mutable: str | None) -> None:
    version, _, kind = type_.rpartition(":")
    obj = {"apiVersion": version.removeprefix("core/"), "kind": kind}
    switch = mutable == "true"
    expected = immutable(obj, secrets_mutable=switch, config_maps_mutable=switch)
    resource, provider = kubernetes(type_, mutable)
    everything = [*expected, "metadata.labels.a", "spec.hard", "data.x", "spec.template.x"]
    assert set(expected) <= set(replacement.forcing(everything, resource, provider))
    free = [path for path in everything if not any(covers(fixed, path) for fixed in expected)]
    assert replacement.forcing(free, resource, provider) == ()


def test_resource_options_can_force_a_replacement() -> None:
    resource, provider = kubernetes("core/v1:Namespace", None)
    options = dataclasses.replace(resource.options, replace_on_changes=("spec.rules[*].to",))
    resource = dataclasses.replace(resource, options=options)
    assert replacement.forcing(["spec.rules[3].to.port", "spec.x"], resource, provider) == ("spec.rules[3].to.port",)
