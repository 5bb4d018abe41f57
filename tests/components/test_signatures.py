"""The admission of signed images: the policy of a namespace on a cluster with a verifier, and its credential."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from usine_ci.commands.signed import STATEMENTS

from components.kubernetes.signatures import KIND, attestors, validations
from components.vault.tenant import public_keys
from model.clusters import ImageVerifier, Verifier
from model.settings import Settings, System
from model.tenant import State
from tests import factories
from tests.plans import plan_of
from usine.images.attestations import PROVENANCE, SIGNATURE
from usine.plan import Plan


def with_verifiers(*clusters: str) -> Settings:
    """Return settings with a verifier in the namespace `guards` of these clusters."""
    base = factories.settings()
    verifier = ImageVerifier(Verifier.KYVERNO, "guards")
    changed = {name: dataclasses.replace(base.clusters[name], image_verifier=verifier) for name in clusters}
    return dataclasses.replace(base, clusters={**base.clusters, **changed})


def policies(plan: Plan) -> Mapping[str, Any]:
    """Return the policies by namespace."""
    found: list[Any] = [r.inputs for r in plan.resources if r.inputs.get("kind") == KIND]
    return {str(one["metadata"]["namespace"]): one for one in found}


def credentials(plan: Plan) -> Mapping[str, Any]:
    """Return the verifier's credentials by name."""
    secrets: list[Any] = [r.inputs for r in plan.resources if r.type == "kubernetes:core/v1:Secret"]
    found = [one for one in secrets if one["metadata"]["namespace"] == "guards"]
    return {str(one["metadata"]["name"]): one for one in found}


def test_only_a_cluster_with_a_verifier_has_policies() -> None:
    tenant = factories.tenant("a-b")
    assert policies(plan_of(tenant)) == {}
    plan = plan_of(tenant, settings=with_verifiers("prod-1"))
    assert set(policies(plan)) == {"a-b-prod"}
    assert set(credentials(plan)) == {"usine-a-b-prod"}


@pytest.mark.parametrize("system", [System.VAULT, System.GITLAB, System.HARBOR])
def test_without_signatures_nothing_is_verified(system: System) -> None:
    settings = with_verifiers("prod-1")
    off = dataclasses.replace(settings, systems=settings.systems - {system})
    plan = plan_of(factories.tenant("a-b"), settings=off)
    assert (policies(plan), credentials(plan)) == ({}, {})


def test_the_policy_covers_the_tenants_images_and_no_others() -> None:
    """The name of a tenant may begin with that of another one."""
    plan = plan_of(factories.tenant("a"), factories.tenant("a-b"), settings=with_verifiers("prod-1"))
    host = factories.settings().registry_host
    for slug in ("a", "a-b"):
        spec = policies(plan)[f"{slug}-prod"]["spec"]
        assert spec["matchImageReferences"] == [{"glob": f"{host}/{slug}/*"}]
        (attestor,) = spec["attestors"]
        assert attestor["cosign"]["key"]["data"] == f"[public key of {slug}/vault/signing-key]"
        assert spec["credentials"] == {"secrets": [f"usine-{slug}-prod"]}


def test_the_policy_refuses_what_it_cannot_verify() -> None:
    policy = policies(plan_of(factories.tenant("a"), settings=with_verifiers("prod-1")))["a-prod"]
    spec = policy["spec"]
    assert policy["apiVersion"] == "policies.kyverno.io/v1"
    assert (spec["failurePolicy"], spec["validationActions"]) == ("Fail", ["Deny"])
    # Argo CD restores what is mutated, and a tag can move: so the digest is demanded.
    assert spec["validationConfigurations"] == {"verifyDigest": True, "mutateDigest": False, "required": True}
    rules = spec["matchConstraints"]["resourceRules"]
    kinds = set(itertools.chain(*(rule["resources"] for rule in rules)))
    assert kinds >= {"pods", "pods/ephemeralcontainers", "deployments", "statefulsets", "cronjobs", "jobs"}
    assert all(rule["operations"] == ["CREATE", "UPDATE"] for rule in rules)
    assert {one["intoto"]["type"] for one in spec["attestations"]} == {SIGNATURE, PROVENANCE}
    assert set(STATEMENTS.values()) == {SIGNATURE, PROVENANCE}, "the job that promotes asks for the same"
    for one, of in zip(spec["validations"], spec["attestations"], strict=True):
        for images in ("containers", "initContainers", "ephemeralContainers", "imageVolumes"):
            assert f"images.{images}" in one["expression"]
        assert f"verifyAttestationSignatures(i, attestations.{of['name']}, [attestors.key1]) > 0" in one["expression"]


def test_every_version_of_the_key_counts_and_the_order_of_the_provider_does_not() -> None:
    versions = [
        {"creation_time": f"2026-0{n}-01T00:00:00Z", "public_key": f"key {n}", "name": "P-256"} for n in (1, 2, 3)
    ]
    for order in itertools.permutations(versions):
        assert public_keys(order) == ["key 1", "key 2", "key 3"]
    made: Any = attestors(["one", "two"])
    assert [(a["name"], a["cosign"]["key"]["data"]) for a in made] == [("key1", "one"), ("key2", "two")]
    # No request to a public log: the cluster's network may be closed.
    assert all(a["cosign"]["ctlog"]["insecureIgnoreTlog"] for a in made)
    assert all("[attestors.key1, attestors.key2]) > 0" in str(one["expression"]) for one in validations(2))
    # No version of the key is left: nobody signed, so nothing is admitted.
    assert all(
        "attestations." in str(one["expression"]) and ", []) > 0" in str(one["expression"]) for one in validations(0)
    )


def test_the_credential_is_secret_and_in_the_verifiers_namespace() -> None:
    (credential,) = credentials(plan_of(factories.tenant("a"), settings=with_verifiers("prod-1"))).values()
    assert credential["type"] == "kubernetes.io/dockerconfigjson"
    assert credential["data"] == "[secret]"


@pytest.mark.parametrize("state", list(State))
def test_the_policy_stays_as_long_as_the_namespace(state: State) -> None:
    """An archived tenant has no robot that pulls: then nothing can be verified, and its images are refused."""
    plan = plan_of(factories.tenant("a", state=state), settings=with_verifiers("prod-1"))
    assert set(policies(plan)) == {"a-prod"}
    assert set(credentials(plan)) == (set() if state is State.ARCHIVED else {"usine-a-prod"})
