"""Each type and function of the stand-in plugins is needed by the program, by drift or by an open issue."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.plugins import needed
from lab.plugins.schema import Field, Shape, provider_config, resource
from model.reading.load import load
from model.reading.settings_load import load_settings
from model.settings import Edition, FoundationMode, PeopleSource, ProxyCache, RunnerSettings, Settings, System
from usine.commands.common import ROOT
from usine.drift import inventory
from usine.plan import make_plan, monitor

RESOURCES = {f"{provider}:{token}": need for provider, by in needed.RESOURCES.items() for token, need in by.items()}
FUNCTIONS = {f"{provider}:{token}": need for provider, by in needed.FUNCTIONS.items() for token, need in by.items()}


def variants(settings: Settings) -> Iterator[Settings]:
    """Return settings that together use all features of the program."""
    proxy = ProxyCache("docker", "docker.io", "https://hub.docker.com", public=False, quota=2**30)
    yield dataclasses.replace(
        settings,
        harbor=dataclasses.replace(settings.harbor, proxies=(proxy,)),
        gitlab=dataclasses.replace(settings.gitlab, runners=RunnerSettings()),
    )
    directory = PeopleSource.DIRECTORY
    yield dataclasses.replace(
        settings,
        gitlab=dataclasses.replace(settings.gitlab, edition=Edition.PREMIUM, people=directory),
        keycloak=dataclasses.replace(settings.keycloak, people=directory),
    )
    yield dataclasses.replace(settings, foundation=FoundationMode.SKIP)
    # Without Keycloak, users have no identity and are looked up by name.
    alone = settings.systems - {System.KEYCLOAK}
    yield dataclasses.replace(settings, foundation=FoundationMode.SKIP, systems=alone)


@pytest.fixture(scope="module")
def registered() -> tuple[dict[str, list[Any]], set[str]]:
    """Return the program's resources by type, and its functions, for the sample tenant that uses most of them."""
    settings = load_settings(ROOT / "Pulumi.lab.yaml")
    projects = [project for project in load(ROOT / "projects.d", settings) if project.slug == "teleservice"]
    types: dict[str, list[Any]] = {}
    called: set[str] = set()
    answer = monitor._Answers.call

    def noting(self: Any, args: Any) -> Any:
        called.add(args.token)
        return answer(self, args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monitor._Answers, "call", noting)
        for variant in variants(settings):
            for resource in make_plan(variant, projects).resources:
                types.setdefault(resource.type, []).append(resource.inputs)
    return types, called


@pytest.fixture(scope="module")
def inventoried() -> set[str]:
    """Return every text in the drift inventories that is a resource type."""
    return {
        node.value
        for path in Path(*inventory.__path__).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def of(need: str, table: dict[str, str]) -> set[str]:
    return {token for token, by in table.items() if by == need}


def test_types_that_the_program_needs_are_listed_as_such(registered: tuple[dict[str, list[Any]], set[str]]) -> None:
    types, called = registered
    ours = {type_ for type_ in types if type_.partition(":")[0] in needed.RESOURCES}
    assert ours == of(needed.PROGRAM, RESOURCES)
    assert called == of(needed.PROGRAM, FUNCTIONS)


def refused(shape: Shape | Field, given: object) -> Iterator[str]:
    """Yield the unsupported properties that a resource sets, at any depth."""
    if isinstance(given, list) and isinstance(shape, Field) and shape.elem is not None:
        for item in given:
            yield from refused(shape.elem, item)
    if isinstance(given, dict):
        yield from {*shape.unsupported} & given.keys()
        for name, field in (shape.fields or {}).items():
            yield from refused(field, given.get(name))


def test_the_program_sets_no_unsupported_property(registered: tuple[dict[str, list[Any]], set[str]]) -> None:
    types = {type_: inputs for type_, inputs in registered[0].items() if type_ in RESOURCES}
    assert len(types) == len(of(needed.PROGRAM, RESOURCES))
    shapes = {type_: resource(type_) for type_ in types}
    providers = {f"pulumi:providers:{name}": provider_config(name) for name in needed.RESOURCES}
    assert providers.keys() <= registered[0].keys()
    found = {
        (type_, name)
        for type_, shape in {**shapes, **providers}.items()
        for given in registered[0][type_]
        for name in refused(shape, given)
    }
    assert found == set()


def test_types_for_drift_are_in_an_inventory(inventoried: set[str]) -> None:
    kept = of(needed.DRIFT, RESOURCES)
    assert kept
    assert kept - inventoried == set()


def test_all_other_types_are_needed_only_by_an_open_issue(
    registered: tuple[dict[str, list[Any]], set[str]], inventoried: set[str]
) -> None:
    rest = {
        token: need for token, need in {**RESOURCES, **FUNCTIONS}.items() if need not in (needed.PROGRAM, needed.DRIFT)
    }
    for need in rest.values():
        assert re.fullmatch(r"issue \d+: \S.*", need), need
    assert rest.keys() & ({*registered[0]} | registered[1] | inventoried) == set()


def test_the_page_has_the_current_table() -> None:
    page = needed.PAGE.read_text(encoding="utf-8")
    assert needed.listing() in page
    assert needed.written(page) == page, "run python -m lab.plugins.needed"
