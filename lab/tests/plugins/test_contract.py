"""Compares the stand-ins with the official schemas: they accept and return only what is in the schemas."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import pytest

from lab.engine.plugins import PROVIDERS as SDKS
from lab.plugins.bridge import Bridge
from lab.plugins.needed import CONFIG, DRIFT, FUNCTIONS, RESOURCES
from lab.plugins.needed import UNSUPPORTED as UNSUPPORTED_NAMES
from lab.plugins.schema import Field, trimmed
from lab.plugins.server import Host
from lab.tests.plugins.rpc import Plugin, PluginFailure

PROVIDERS = ("vault", "keycloak", "gitlab", "harbor")
SECTIONS = ("resources", "functions", "types")


def backend(name: str) -> Bridge[Any]:
    made: Bridge[Any] = importlib.import_module(f"lab.plugins.{name}.provider").make(Host(None))
    return made


UNSUPPORTED = [
    (name, token, prop)
    for name in PROVIDERS
    for token, spec in trimmed(name)["resources"].items()
    for prop in spec.get("unsupported", ())
]
TOKENS = [(name, token) for name in PROVIDERS for token in trimmed(name)["resources"]]


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_plugins_have_exactly_the_needed_resources_and_functions(name: str) -> None:
    plugin = backend(name)
    assert set(plugin._resources) == {f"{name}:{token}" for token in RESOURCES[name]}
    assert set(plugin._functions) == {f"{name}:{token}" for token in FUNCTIONS[name]}
    assert plugin.version == trimmed(name)["version"]


@pytest.mark.parametrize(("name", "token"), TOKENS)
def test_a_shape_matches_the_official_schema(name: str, token: str) -> None:
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
            # The only exception is a name that is generated if the program does not set it.
            assert prop in spec["requiredInputs"] or field.autoname


@pytest.mark.parametrize(("name", "token"), TOKENS)
def test_properties_that_are_always_returned_are_required_computed_or_names(name: str, token: str) -> None:
    """The shapes derive "computed" from this rule. Without it, an unset property would be planned as removed."""
    spec = trimmed(name)["resources"][token]
    for prop, field in backend(name)._resources[token].shape.fields.items():
        certain = field.required or field.computed
        assert certain == (prop in spec["alwaysSetOutputs"]) or not field.input or field.default is not None
        assert not (field.default is not None and field.computed)


@pytest.mark.parametrize(("name", "token"), TOKENS)
def test_relations_refer_to_existing_properties(name: str, token: str) -> None:
    shape = backend(name)._resources[token].shape
    for field in shape.fields.values():
        for other in (*field.conflicts, *field.required_with):
            assert other in shape.fields
    assert set(shape.exactly_one) <= set(shape.fields)


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_installed_sdk_has_the_version_of_the_schema(name: str) -> None:
    metadata = importlib.import_module("importlib.metadata")
    assert metadata.version(SDKS[name][0]) == trimmed(name)["version"]


@pytest.mark.parametrize("name", PROVIDERS)
def test_unsupported_properties_are_refused_with_their_name(name: str) -> None:
    plugin = Plugin(backend(name))
    refused = [(token, prop) for provider, token, prop in UNSUPPORTED if provider == name]
    for token, prop in refused:
        _, failures = plugin.check(token, {prop: "x"})
        assert any(f"does not support {prop}." in failure for failure in failures), (token, failures)
    for setting in trimmed(name)["unsupported"]:
        with pytest.raises(PluginFailure, match=f"the local platform's plugin does not support {name}:{setting}"):
            plugin.configure(**{setting: "x"})
    plugin.close()


@pytest.mark.parametrize(
    ("token", "given", "path"),
    [
        ("keycloak:index/realm:Realm", {"securityDefenses": {"headers": {}}}, "securityDefenses.headers"),
        ("harbor:index/retentionPolicy:RetentionPolicy", {"rules": [{"tagExcluding": "x"}]}, "rules[0].tagExcluding"),
    ],
)
def test_unsupported_nested_properties_are_refused_with_their_name(
    token: str, given: dict[str, Any], path: str
) -> None:
    plugin = Plugin(backend(token.partition(":")[0]))
    assert any(f"does not support {path}." in failure for failure in plugin.check(token, given)[1])
    plugin.close()


def test_only_types_for_drift_repairs_cannot_be_created() -> None:
    unmade = set()
    for name in PROVIDERS:
        for token, resource in backend(name)._resources.items():
            if getattr(resource.create, "__name__", "") == "refuse":
                unmade.add(f"{name}:{token.partition(':')[2]}")
    assert unmade
    assert unmade <= {
        f"{name}:{token}" for name, by in RESOURCES.items() for token, need in by.items() if need == DRIFT
    }


def test_unsupported_properties_in_the_schemas_match_the_list() -> None:
    for name, by_token in UNSUPPORTED_NAMES.items():
        document = trimmed(name)
        for token, props in by_token.items():
            key = f"{name}:{token}"
            spec = document if token == CONFIG else next(document[k][key] for k in SECTIONS if key in document[k])
            assert sorted(spec["unsupported"]) == sorted(props), f"{key}: run python -m lab.plugins.trim"
