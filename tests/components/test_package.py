"""The component package: its schema for other languages, and that it creates the same tenants as the stack."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from pulumi.provider.experimental.component import ComponentProvider

from model.reading.load import load
from model.reading.settings_load import load_settings
from model.settings import FoundationMode
from stacks.package.tenant import Tenant, TenantArgs
from tests.template import SETTINGS_FILE
from usine.plan import Plan, make_plan
from usine.plan.run import record

ROOT = Path(__file__).resolve().parents[2]
TEXT = SETTINGS_FILE.read_text(encoding="utf-8")
AUTHORITIES = {".lab/pki/ca.pem": "[contents of .lab/pki/ca.pem]"}


def tenant(slug: str) -> str:
    return (ROOT / "projects.d" / f"{slug}.yaml").read_text(encoding="utf-8")


def made(*slugs: str, **others: object) -> Plan:
    def program() -> None:
        for slug in slugs:
            args: TenantArgs = {"tenant": tenant(slug), "settings": TEXT, "authorities": AUTHORITIES}
            Tenant(slug, {**args, **others})  # type: ignore[typeddict-item]  # invalid values on purpose

    return record(program, "other")


def objects(plan: Plan) -> Mapping[str, object]:
    return {
        r.name: (r.type, r.inputs, r.protect)
        for r in plan.resources
        if not r.is_provider and r.type not in {"usine:index:Tenant", "pulumi:pulumi:Stack"}
    }


def test_the_package_creates_the_same_tenants_as_the_stack() -> None:
    slugs = ("petitions", "miroirs")
    settings = dataclasses.replace(load_settings(SETTINGS_FILE), foundation=FoundationMode.SKIP, tenants=slugs)
    projects = [p for p in load(ROOT / "projects.d", settings) if p.slug in slugs]
    plan = made(*slugs)
    assert objects(plan) == objects(make_plan(settings, projects))
    providers = [r.name for r in plan.resources if r.is_provider]
    assert {"petitions/vault", "miroirs/vault", "petitions/kubernetes-nonprod-1"} <= set(providers)
    assert len(providers) == len(set(providers))


@pytest.mark.parametrize(
    ("others", "problem"),
    [
        ({"tenant": "slug: petitions\n"}, "petitions.yaml:1:1: "),
        ({"settings": "config: {usine:foundation: onyl}\n"}, "did you mean only?"),
        ({"authorities": {}}, "authorities: the settings name .lab/pki/ca.pem"),
    ],
)
def test_errors_are_reported_before_anything_is_registered(others: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        made("petitions", **others)


def test_the_schema_has_texts_as_inputs_and_a_summary_as_output() -> None:
    schema = json.loads(ComponentProvider([Tenant], "usine", None, "1.0.0").schema or "")
    (component,) = schema["resources"].values()
    assert set(schema["resources"]) == {"usine:index:Tenant"}
    assert component["requiredInputs"] == ["settings", "tenant"]
    assert all(one["plain"] for one in component["inputProperties"].values())
    assert set(component["properties"]) == {"summary"}


def test_the_manifest_and_the_entry_point_are_at_the_root() -> None:
    manifest = yaml.safe_load((ROOT / "PulumiPlugin.yaml").read_text(encoding="utf-8"))
    program = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert manifest["runtime"] == program["runtime"]
    assert "component_provider_host([Tenant]" in (ROOT / "__main__.py").read_text(encoding="utf-8")
