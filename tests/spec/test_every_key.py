"""A change of any key of a tenant file changes the tenant, and the plan.

A key in the schema that `model.reading.convert` or a component drops fails here. A new key needs a row in
`CHANGES` of tests/spec/key_changes.py.
`python -m tests.spec.reach` writes which objects it changes to docs/fields.md.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import importlib
import json
from textwrap import dedent
from typing import Any

import pytest

from model.problems import SpecError
from model.reading.load import check_text
from model.tenant import Tenant
from tests.engine.tenants import ALPHA, BETA
from tests.pipelines.tenants import ATELIER, PRESETS
from tests.plans import plan_of
from tests.spec import reach
from tests.spec.helpers import ROOT, SETTINGS
from tests.spec.key_changes import CHANGES, FILE, FIXED, NOT_IN_THE_PLAN, PLATFORM
from tests.spec.test_schema import SCHEMA, keys


def unchanged(key: str) -> dict[str, Any]:
    """Return the file in which `changed` changes a key."""
    file = copy.deepcopy(dict(FILE))
    if key == "quality.dast.scan":  # an OpenAPI document is for one scan only
        file["quality"]["dast"]["scan"] = "baseline"
        del file["quality"]["dast"]["openapi"]
    return file


def changed(key: str) -> dict[str, Any]:
    """Return the file with another value for a key."""
    file = unchanged(key)
    node: Any = file
    *above, last = (int(part) if part.isdigit() else part for part in key.split("."))
    for part in above:
        node = node[part]
    assert node[last] != CHANGES[key]
    node[last] = CHANGES[key]
    return file


@functools.cache
def tenant_of(text: str) -> Tenant:
    """Return the tenant of a file's text."""
    return check_text(text.encode(), f"{json.loads(text)['slug']}.yaml", PLATFORM)


def path_of(key: str) -> tuple[str, ...]:
    """Return the path of a key in the schema: names that the file chooses are ``*``, list items ``[]``."""
    known = {path for path, _ in keys(SCHEMA)}
    path: tuple[str, ...] = ()
    for part in key.split("."):
        step = "[]" if part.isdigit() else part
        path = (*path, step if (*path, step) in known or step == "[]" else "*")
    return path


def types_changed(key: str) -> frozenset[str]:
    """Return the types of the resources that another value of a key adds, removes or changes."""
    before, after = (
        {
            resource.key: resource
            for resource in plan_of(tenant_of(json.dumps(file)), settings=PLATFORM).resources
            if not (resource.is_component or resource.is_provider)
        }
        for file in (unchanged(key), changed(key))
    )
    every = {**before, **after}
    return frozenset(every[name].type for name in every if before.get(name) != after.get(name))


def test_every_key_of_the_schema_has_another_value_here() -> None:
    known = {path for path, _ in keys(SCHEMA)}
    leaves = {path for path in known if not any(other[: len(path)] == path and other != path for other in known)}
    assert {path_of(key) for key in (*CHANGES, *FIXED)} == leaves


def value_of(file: Any, key: str) -> Any:
    """Return the value of a key of a file."""
    for part in key.split("."):
        file = file[int(part)] if part.isdigit() else file[part]
    return file


def test_what_can_have_several_entries_has_another_one_beside_that_which_changes() -> None:
    for key, new in CHANGES.items():
        if isinstance(new, list):
            assert value_of(FILE, key) == new[: len(value_of(FILE, key))], key
        if isinstance(new, dict):
            assert value_of(FILE, key).items() < new.items(), key
        parts = key.split(".")
        for depth, step in enumerate(path_of(key)):
            if step in {"*", "[]"}:
                assert len(value_of(FILE, ".".join(parts[:depth]))) > 1, key


@pytest.mark.parametrize("key", CHANGES)
def test_a_change_of_a_key_changes_the_tenant(key: str) -> None:
    assert tenant_of(json.dumps(changed(key))) != tenant_of(json.dumps(unchanged(key)))


@pytest.mark.parametrize("key", CHANGES)
def test_a_change_of_a_key_changes_the_objects_that_the_page_lists(key: str) -> None:
    types = types_changed(key)
    assert bool(types) == (key not in NOT_IN_THE_PLAN)
    if types:
        assert reach.row(path_of(key), types) in reach.rows(reach.PAGE.read_text(encoding="utf-8"))


def test_the_page_lists_every_key_once() -> None:
    listed = [line.split("|")[1].strip(" `") for line in reach.rows(reach.PAGE.read_text(encoding="utf-8"))]
    assert listed == [reach.shown(path_of(key)) for key in CHANGES]


@pytest.mark.parametrize("key", NOT_IN_THE_PLAN)
def test_the_effect_of_the_other_keys_has_a_test(key: str) -> None:
    stated = NOT_IN_THE_PLAN[key]
    assert reach.row_elsewhere(path_of(key), stated.reader, stated.test) in reach.rows(
        reach.PAGE.read_text(encoding="utf-8")
    )
    module, _, name = stated.test.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_an_archetype_gives_what_a_file_leaves_out() -> None:
    short = {key: FILE[key] for key in ("apiVersion", "kind", "slug", "name", "owner", "contact")}
    short["environments"] = {"dev": {"cluster": "nonprod-1"}}
    settings = dataclasses.replace(
        PLATFORM, observability=dataclasses.replace(PLATFORM.observability, log_retentions=(14, 90))
    )
    small, large = (
        check_text(json.dumps({**short, "archetype": name}).encode(), "tenant.yaml", settings)
        for name in ("small", "large")
    )
    assert plan_of(small, settings=settings).resources != plan_of(large, settings=settings).resources


@pytest.mark.parametrize("stages", ["nonprod", "prod"])
@pytest.mark.parametrize(("amount", "less"), [("cpu", 1), ("memory", "1Gi"), ("storage", "1Gi"), ("gpu", 0)])
def test_every_amount_of_an_envelope_limits_its_environments(stages: str, amount: str, less: object) -> None:
    file = copy.deepcopy(dict(FILE))
    file["environments"]["dev"]["quota"]["gpu"] = 1
    file["environments"]["prod"]["quota"] = file["environments"]["dev"]["quota"]
    tenant_of(json.dumps(file))
    file["envelope"][stages][amount] = less
    with pytest.raises(SpecError, match=f"envelope.{stages}.{amount}: the environments"):
        tenant_of(json.dumps(file))


#: Types that no tenant of the engine's and the pipelines' tests needs: the test that creates such an object.
CREATED_BY = {
    "PipelineSchedule": "lab/tests/plugins/test_gitlab_projects_live.py",
    "GroupDeployToken": "lab/tests/plugins/test_gitlab_live.py",
}


def test_tests_with_servers_create_an_object_of_every_type_on_the_page() -> None:
    listed = {name for line in reach.rows(reach.PAGE.read_text(encoding="utf-8")) for name in reach.types_of(line)}
    texts = {"alpha": ALPHA, "beta": BETA, "atelier": ATELIER}
    settings = dataclasses.replace(SETTINGS, presets=(*SETTINGS.presets, *PRESETS))
    tenants = [
        check_text(
            f"apiVersion: usine/v1\nkind: Project\nslug: {slug}\nname: {slug}\n{dedent(text)}".encode(),
            f"{slug}.yaml",
            settings,
        )
        for slug, text in texts.items()
    ]
    created = {resource.type.rpartition(":")[2] for resource in plan_of(*tenants, settings=settings).resources}
    assert listed - created == set(CREATED_BY)
    for name, path in CREATED_BY.items():
        assert name[1:] in (ROOT / path).read_text(encoding="utf-8")
