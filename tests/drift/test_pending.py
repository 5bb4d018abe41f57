"""A repair announces the other changes that it applies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import rpc

from pulumi_facts.urns import address_of
from tests.drift.values import finding, urn
from tests.guard.samples import end, pre
from tests.guard.test_guarded import Fake
from usine.drift.patch import Patcher
from usine.drift.pending import pending
from usine.drift.repair import repair
from usine.engine.events import Step
from usine.engine.lock import unlocked

POLICY = urn("alpha/vault/policy/env/dev", "vault:index/policy:Policy", "vault")
HIDDEN = {rpc._special_sig_key: rpc._special_secret_sig, "ciphertext": "v1:abc"}
BLINDED = {rpc._special_sig_key: rpc._special_secret_sig, "ciphertext": "[secret]"}


def lines(old: dict[str, Any], new: dict[str, Any], op: str = "update") -> list[str]:
    state = [{"urn": POLICY, "type": "vault:index/policy:Policy", "inputs": old}]
    return list(pending([Step(op, address_of(POLICY), inputs=new)], state))


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ({"policy": "a"}, {"policy": "b"}, "policy"),
        ({"spec": {"hard": {"limits.cpu": "1", "n": 1}}}, {"spec": {"hard": {"n": 1.0}}}, 'spec.hard["limits.cpu"]'),
        ({"a": [1]}, {"a": [1, 2], "b": None}, "a, b"),
        ({"a": 1}, {}, "a"),
        ({"password": HIDDEN}, {"password": BLINDED}, ""),
        ({"password": HIDDEN}, {"password": rpc.UNKNOWN}, ""),
        ({"x": "chosen by the plugin", "__defaults": ["x"]}, {"x": "chosen again", "__defaults": ["x"]}, ""),
        ({"policy": "a"}, {"policy": "a"}, ""),
    ],
)  # fmt: skip
def test_changes_of_the_file_are_named_by_their_paths(old: dict[str, Any], new: dict[str, Any], paths: str) -> None:
    said = [f"alpha/vault/policy/env/dev: the files changed since it was last applied: {paths}"] if paths else []
    assert lines(old, new) == said
    assert lines(old, new, "create") == said, "gone from the system, and made as the file has it by now"


def test_a_deletion_of_an_object_that_left_the_files_is_announced() -> None:
    assert lines({"a": 1}, {}, "delete") == [
        "alpha/vault/policy/env/dev: the files no longer contain it, so it is deleted"
    ]
    assert list(pending([Step("delete", address_of(POLICY))], [])) == [], "adopted by the repair itself"


def test_a_repair_announces_other_changes_before_the_engine_applies_them(tmp_path: Path) -> None:
    fake = Fake(tmp_path)
    state: dict[str, Any] = fake.engine.export_state()
    for resource in state["deployment"]["resources"][1:]:
        resource["inputs"] = {"name": "n", "policy": "applied"}
    fake.state(state)
    target = state["deployment"]["resources"][1]["urn"]
    inputs = [{"inputs": {"name": "n", "policy": policy}} for policy in ("by hand", "by now")]
    drifted = pre("update", target, old=inputs[0], new=inputs[1])
    fake.events("preview", drifted, end("update", target))
    said: list[tuple[str, int]] = []
    chosen = [finding(path="policy", expected="applied", found="by hand", urn=target)]
    repair(
        fake.engine,
        unlocked(fake.engine),
        fake.guardrails,
        chosen,
        Patcher(fake.guardrails.settings, {}),
        lambda text: said.append((text, len(fake.calls("up")))),
    )
    name = address_of(target).name
    assert said == [(f"applied along with the repair: {name}: the files changed since it was last applied: policy", 0)]
    assert len(fake.calls("up")) == 1
