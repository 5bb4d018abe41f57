"""The facts of the wire are those of Pulumi's SDK and of our own components."""

from __future__ import annotations

from pulumi.dynamic.dynamic import PROVIDER_KEY
from pulumi.runtime import rpc
from pulumi_policy import deserialize

from components import foundation, tenant
from components.sonarqube.dynamic.provider import TYPE_PREFIX
from policy.model import Hidden
from pulumi_facts import tokens, urns, values
from tests import plans


def test_the_marks_of_special_values_are_the_sdks() -> None:
    assert (rpc._special_sig_key, rpc._special_secret_sig) == (values.SIGNATURE, values.SECRET_SIGNATURE)
    assert (values.SIGNATURE, values.SECRET_SIGNATURE) == (deserialize.SPECIAL_SIG_KEY, deserialize.SPECIAL_SECRET_SIG)
    assert values.UNKNOWN == rpc.UNKNOWN
    assert values.DYNAMIC_PROVIDER == PROVIDER_KEY


def test_the_tokens_are_those_of_the_components_and_of_the_plan() -> None:
    types = {resource.type for resource in plans.plan_of_samples().resources}
    assert tokens.TENANT in types
    assert tokens.TENANT.rpartition(":")[2] == tenant.TenantProject.__name__
    assert f"{tokens.COMPONENT}usine:{foundation.Foundation.__name__}" in types
    assert TYPE_PREFIX.startswith(tokens.DYNAMIC)


def test_a_plain_value_has_no_secret_and_no_bookkeeping() -> None:
    secret = {values.SIGNATURE: values.SECRET_SIGNATURE, "value": "marker"}
    value = {"a": [secret, 2.0, 2.5], values.DEFAULTS: ["a"], "b": values.UNKNOWN}
    assert values.plain(value) == {"a": [values.SECRET, 2, 2.5], "b": values.UNKNOWN}
    marked = values.plain(value, secret=Hidden.SECRET, unknown=Hidden.UNKNOWN)
    assert marked == {"a": [Hidden.SECRET, 2, 2.5], "b": Hidden.UNKNOWN}
    assert values.is_special({values.SIGNATURE: rpc._special_asset_sig})
    assert not values.is_secret({values.SIGNATURE: rpc._special_asset_sig})


def test_a_urn_is_read_and_written() -> None:
    types = (tokens.TENANT, "usine:vault:VaultTenant", "vault:index/policy:Policy")
    urn = urns.make("lab", "usine", urns.identity(types, "alpha/vault/policy/a::b"))
    assert urn == f"urn:pulumi:lab::usine::{'$'.join(types)}::alpha/vault/policy/a::b"
    address = urns.address_of(urn)
    assert (address.type, address.name, address.tenant, address.system) == (
        "vault:index/policy:Policy",
        "alpha/vault/policy/a::b",
        "alpha",
        "vault",
    )
    assert urns.types_of(urn) == types
    assert urns.split(urns.identity_of(urn)) == (types, "alpha/vault/policy/a::b")
    assert urns.beside(urn, tokens.STACK, "usine-lab") == f"urn:pulumi:lab::usine::{tokens.STACK}::usine-lab"


def test_a_provider_reference_names_the_provider() -> None:
    provider = urns.make("lab", "usine", urns.identity([f"{tokens.PROVIDER}vault"], "vault-prod"))
    reference = urns.provider_reference(provider, "0-1")
    assert (urns.provider_urn(reference), urns.provider_name(reference)) == (provider, "vault-prod")
    assert (urns.provider_urn(""), urns.provider_name("")) == ("", "")
    assert urns.address_of(provider).system == "vault"
    assert not urns.address_of(provider).is_object
