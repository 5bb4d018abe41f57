"""The stand-ins against the official schemas: they accept and return nothing those do not know."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import pytest

from lab.engine.plugins import PROVIDERS as SDKS
from lab.plugins.bridge import Bridge
from lab.plugins.needed import FUNCTIONS, RESOURCES
from lab.plugins.schema import Field, trimmed
from lab.plugins.server import Host

PROVIDERS = ("vault", "keycloak", "gitlab", "harbor")


def backend(name: str) -> Bridge[Any]:
    made: Bridge[Any] = importlib.import_module(f"lab.plugins.{name}.provider").make(Host(None))
    return made


TOKENS = [(name, token) for name in PROVIDERS for token in trimmed(name)["resources"]]


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_kept_resource_and_function_is_there_and_no_other(name: str) -> None:
    plugin = backend(name)
    assert set(plugin._resources) == {f"{name}:{token}" for token in RESOURCES[name]}
    assert set(plugin._functions) == {f"{name}:{token}" for token in FUNCTIONS[name]}
    assert plugin.version == trimmed(name)["version"]


@pytest.mark.parametrize(("name", "token"), TOKENS)
def test_a_shape_says_what_the_official_schema_says(name: str, token: str) -> None:
    spec = trimmed(name)["resources"][token]
    fields: Mapping[str, Field] = backend(name)._resources[token].shape.fields
    assert set(fields) == set(spec["inputs"]) | set(spec["outputs"])
    for prop, field in fields.items():
        declared = spec["inputs"].get(prop) or spec["outputs"][prop]
        assert field.input == (prop in spec["inputs"])
        assert field.secret == bool(declared.get("secret"))
        if prop in spec["inputs"]:
            assert field.force_new == bool(declared.get("willReplaceOnChanges"))
        if prop in spec["requiredInputs"]:
            assert field.required
            assert field.default is None
        if field.required:
            # The one exception: a name that is made up when the program gives none.
            assert prop in spec["requiredInputs"] or field.autoname


@pytest.mark.parametrize(("name", "token"), TOKENS)
def test_what_the_official_plugin_always_returns_is_required_computed_or_named(name: str, token: str) -> None:
    """The rule the shapes derive «computed» from: were it wrong, an unset property would be planned as removed."""
    spec = trimmed(name)["resources"][token]
    for prop, field in backend(name)._resources[token].shape.fields.items():
        certain = field.required or field.computed
        assert certain == (prop in spec["alwaysSetOutputs"]) or not field.input or field.default is not None
        assert not (field.default is not None and field.computed)


@pytest.mark.parametrize(("name", "token"), TOKENS)
def test_relations_name_real_properties(name: str, token: str) -> None:
    shape = backend(name)._resources[token].shape
    for field in shape.fields.values():
        for other in (*field.conflicts, *field.required_with):
            assert other in shape.fields
    assert set(shape.exactly_one) <= set(shape.fields)


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_installed_sdk_is_the_version_the_schema_was_taken_from(name: str) -> None:
    metadata = importlib.import_module("importlib.metadata")
    assert metadata.version(SDKS[name][0]) == trimmed(name)["version"]
