"""Every policy, with resources that pass and resources that violate it; and tests of all policies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policy.model import Hidden, Level, Policy, Resource, leaves
from policy.registry import BY_ID, POLICIES, Setting, violations
from pulumi_facts.data_bearing import DATA_BEARING
from pulumi_facts.tokens import TENANT
from tests.policy.bad import BAD
from tests.policy.good import GOOD
from tests.policy.shapes import HARD, kubernetes, resource

ONE_BY_ONE = [policy for policy in POLICIES if policy.stack_check is None]
MARKER = "marker-3e7a51"
ROOT = Path(__file__).resolve().parents[2]


def texts(policy: Policy, *resources: Resource) -> list[str]:
    if policy.stack_check is not None:
        return [text for _, text in policy.stack_check(resources)]
    check = policy.check_for(None)
    assert check is not None
    return [text for each in resources for text in check(each)]


def cases(examples: Mapping[str, tuple[Resource, ...]]) -> list[Any]:
    return [
        pytest.param(BY_ID[id_], each, id=f"{id_}-{number}")
        for id_, resources in examples.items()
        for number, each in enumerate(resources, 1)
    ]


@pytest.mark.parametrize(("policy", "good"), cases(GOOD))
def test_a_good_resource_passes(policy: Policy, good: Resource) -> None:
    assert texts(policy, good) == []


@pytest.mark.parametrize(("policy", "bad"), cases(BAD))
def test_a_bad_resource_violates_its_policy(policy: Policy, bad: Resource) -> None:
    assert texts(policy, bad)


def test_every_policy_has_examples_and_a_remedy() -> None:
    assert GOOD.keys() == BAD.keys() == {policy.id for policy in ONE_BY_ONE}
    assert len(BY_ID) == len(POLICIES)
    for policy in POLICIES:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", policy.id)
        assert policy.description[0].isupper()
        assert not policy.description.endswith(".")
        assert policy.remedy
        assert sum(part is not None for part in (policy.check, policy.stack_check, policy.limit)) == 1
        assert policy.level is not Level.DISABLED


def leaf_variants(value: object, leaf: object) -> object:
    """Return the value with every leaf replaced."""
    if isinstance(value, Mapping):
        return {key: leaf_variants(item, leaf) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [leaf_variants(item, leaf) for item in value]
    return leaf


def every_example() -> list[Resource]:
    return [each for examples in (GOOD, BAD) for resources in examples.values() for each in resources]


def test_no_message_shows_a_value() -> None:
    said = 0
    for each in every_example():
        marked = leaf_variants(each.inputs, MARKER)
        # Type and kind are kept, or no policy would apply.
        inputs = {**marked, "kind": each.inputs.get("kind")} if isinstance(marked, dict) else {}
        for shown in (each, replace(each, inputs=inputs)):
            for violation in violations([shown]):
                said += 1
                assert MARKER not in violation.text
                for value in texts_in(each.inputs):
                    # Short words such as `public` are fixed words of the tool, not secrets.
                    known = len(value) < 12 or value == "usine:prod-1:token-review"
                    assert known or value not in violation.text, violation
    assert said > 200


def texts_in(value: object) -> list[str]:
    return [leaf for _, leaf in leaves(value) if isinstance(leaf, str)]


@pytest.mark.parametrize("leaf", [Hidden.UNKNOWN, Hidden.SECRET, None, [], {}, [[]], {"a": 1}, 3.5, True, ""])
def test_no_policy_fails_on_values_of_any_shape(leaf: object) -> None:
    for each in every_example():
        list(violations([replace(each, inputs=dict.fromkeys(each.inputs, leaf) | {"kind": each.inputs.get("kind")})]))
        list(violations([replace(each, inputs={"kind": each.inputs.get("kind")})]))
        deep = leaf_variants(each.inputs, leaf)
        assert isinstance(deep, dict)
        list(violations([replace(each, inputs=deep | {"kind": each.inputs.get("kind")})]))


def test_an_unknown_value_is_not_judged() -> None:
    for id_, resources in GOOD.items():
        for each in resources:
            kept = {key: value for key, value in each.inputs.items() if key == "kind"}
            unknown = replace(each, inputs=dict.fromkeys(each.inputs, Hidden.UNKNOWN) | kept)
            assert texts(BY_ID[id_], unknown) == [], (id_, each)


# Policies of the whole stack ---------------------------------------------------------------------------------------


def namespace(*inside: Resource) -> list[Resource]:
    home = kubernetes("Namespace", {"metadata": {"name": "a-b-dev"}}, name="namespace")
    return [home, *inside]


def quota(hard: Mapping[str, object] = HARD, **more: Any) -> Resource:
    return kubernetes("ResourceQuota", {"spec": {"hard": dict(hard)}}, name="quota", **more)


LIMITS = kubernetes("LimitRange", {"spec": {"limits": [{"type": "Container"}]}}, name="limits")


def deny(*types: str, **spec: object) -> Resource:
    inputs = {"spec": {"podSelector": {}, "policyTypes": list(types), **spec}}
    return kubernetes("NetworkPolicy", inputs, name=f"deny-{'-'.join(types)}")


BOTH = deny("Ingress", "Egress")


@pytest.mark.parametrize(
    "resources",
    [
        namespace(quota(), LIMITS, BOTH),
        namespace(quota(), LIMITS, deny("Ingress"), deny("Egress")),
        [],
    ],
)
def test_a_namespace_has_quota_limits_and_network_policy(resources: list[Resource]) -> None:
    assert texts(BY_ID["namespace-guarded"], *resources) == []


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        (namespace(LIMITS, BOTH), "no ResourceQuota"),
        (namespace(quota({k: v for k, v in HARD.items() if k != "pods"}), LIMITS, BOTH), "has no limit for pods"),
        (namespace(quota({**HARD, "services.loadbalancers": "1"}), LIMITS, BOTH), "services.loadbalancers to 0"),
        (namespace(quota(), BOTH), "no LimitRange"),
        (namespace(quota(), LIMITS), "default-deny NetworkPolicy for Ingress and Egress"),
        (namespace(quota(), LIMITS, deny("Ingress")), "for Egress"),
        (namespace(quota(), LIMITS, deny("Ingress", "Egress", egress=[{"to": []}])), "for Egress"),
        (
            namespace(quota(), LIMITS, deny("Ingress", "Egress", podSelector={"matchLabels": {"a": "b"}})),
            "for Ingress and Egress",
        ),
    ],
)
def test_a_namespace_without_one_of_them_is_found(resources: list[Resource], said: str) -> None:
    found = texts(BY_ID["namespace-guarded"], *resources)
    assert len(found) == 1, found
    assert said in found[0]


def test_objects_of_another_namespace_do_not_count() -> None:
    elsewhere = [
        kubernetes(r.kind, {**r.inputs, "metadata": {"namespace": "a-b-prod"}}, name=r.name)
        for r in (quota(), LIMITS, BOTH)
    ]
    assert len(texts(BY_ID["namespace-guarded"], *namespace(*elsewhere))) == 3


def test_an_unknown_namespace_is_found_by_dependencies() -> None:
    home, *_ = namespace()
    guards = [
        replace(r, inputs={**r.inputs, "metadata": Hidden.UNKNOWN}, dependencies=(home.urn,))
        for r in (quota(), LIMITS, BOTH)
    ]
    assert texts(BY_ID["namespace-guarded"], home, *guards) == []
    assert len(texts(BY_ID["namespace-guarded"], home, *(replace(g, dependencies=()) for g in guards))) == 3


def tenant_of(state: str, slug: str = "a-b") -> Resource:
    return Resource(TENANT, slug, f"urn:pulumi:test::usine::{TENANT}::{slug}", {"state": state})


@pytest.mark.parametrize("type_", sorted(DATA_BEARING))
def test_data_is_protected_until_its_tenant_is_archived(type_: str) -> None:
    policy, bare = BY_ID["data-protected"], resource(type_, {"path": "a-b"})
    assert texts(policy, tenant_of("active"), bare) == ["protect is not set"]
    assert texts(policy, tenant_of("suspended"), bare) == ["protect is not set"]
    assert texts(policy, bare) == ["protect is not set"]
    assert texts(policy, tenant_of("archived", "a"), bare) == ["protect is not set"]
    assert texts(policy, tenant_of("archived"), resource(type_, {}, tenant=None)) == ["protect is not set"]
    assert texts(policy, tenant_of("active"), replace(bare, protect=True)) == []
    assert texts(policy, tenant_of("archived"), bare) == []


def test_the_platforms_own_jobs_and_configuration_need_no_protection() -> None:
    jobs = replace(resource("gitlab:index/project:Project", {}), name="a-b/gitlab/usine_jobs/project")
    assert texts(BY_ID["data-protected"], tenant_of("active"), jobs, *GOOD["jwt-role-bound"]) == []


# Settings ----------------------------------------------------------------------------------------------------------


def test_a_platform_may_set_level_and_limit_of_a_policy() -> None:
    robot = BAD["robot-life-finite"][2]

    def levels(settings: Mapping[str, Setting]) -> list[Level]:
        return [v.level for v in violations([robot], settings) if v.policy.id == "robot-life-finite"]

    assert levels({}) == [Level.MANDATORY]
    assert levels({"robot-life-finite": Setting(level=Level.ADVISORY)}) == [Level.ADVISORY]
    assert levels({"robot-life-finite": Setting(level=Level.DISABLED)}) == []
    assert levels({"robot-life-finite": Setting(limit=20_000)}) == []
    assert levels({"harbor-private": Setting(level=Level.DISABLED)}) == [Level.MANDATORY]


def test_the_documentation_lists_every_policy() -> None:
    text = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    rows = [f"| `{p.id}` | {p.level.value} | {p.description} | {p.remedy} |" for p in POLICIES]
    assert [line for line in text.splitlines() if re.match(r"\| `[a-z-]+` \| (mandatory|advisory) ", line)] == rows
    for policy in POLICIES:
        if policy.limit is not None:
            limit = policy.limit
            assert f"| `{policy.id}` | `{limit.name}` | {limit.description} | {limit.default:,} |" in text
