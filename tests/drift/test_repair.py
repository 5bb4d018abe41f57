"""Repair: the chosen findings, the edits of the state, and that they are undone afterwards."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pulumi_facts.checkpoint import resources_of
from pulumi_facts.values import ABSENT, SECRET
from tests.drift.values import finding, urn
from usine.drift import checkpoint
from usine.drift.findings import Means
from usine.drift.patch import steps
from usine.drift.repair import RepairError, choose
from usine.engine.cli import Engine, EngineError
from usine.report.model import Action

STACK = "urn:pulumi:lab::usine::pulumi:pulumi:Stack::usine-lab"
VAULT = "urn:pulumi:lab::usine::pulumi:providers:vault::vault"
BINDING = urn("alpha/kubernetes/prod/binding/rw", "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding")
ROBOT = urn("alpha/harbor/robot", "harbor:index/robotAccount:RobotAccount", "harbor")
SECRET_OF_IT = urn("alpha/vault/secret", "vault:kv/secretV2:SecretV2", "vault")
USER_OF_THAT = urn("alpha/argocd/repo", "kubernetes:core/v1:Secret", "argocd")


class FakeEngine(Engine):
    """An engine whose state is a value."""

    def __init__(self, resources: list[dict[str, Any]], fails: bool = False) -> None:
        super().__init__(Path(), "lab", {})
        object.__setattr__(self, "state", {"deployment": {"resources": resources}})
        object.__setattr__(self, "calls", [])
        object.__setattr__(self, "fails", fails)

    def export_state(self) -> dict[str, object]:
        return copy.deepcopy(self.state)  # type: ignore[attr-defined]  # set above, on a frozen class

    def import_state(self, state: Mapping[str, object]) -> None:
        object.__setattr__(self, "state", copy.deepcopy(state))

    def capture(self, *arguments: str, stdin: str | None = None) -> str:  # noqa: ARG002 - as it is called
        self.calls.append(arguments)  # type: ignore[attr-defined]  # set above
        if self.fails:  # type: ignore[attr-defined]  # set above
            raise EngineError("no such object")
        return ""

    @property
    def resources(self) -> list[dict[str, Any]]:
        return resources_of(self.export_state())


def resources() -> list[dict[str, Any]]:
    return [
        {"urn": STACK, "type": "pulumi:pulumi:Stack"},
        {"urn": VAULT, "type": "pulumi:providers:vault", "id": "v1", "custom": True},
        {"urn": BINDING, "type": "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", "custom": True,
         "inputs": {"metadata": {"name": "rw"}, "subjects": [{"name": "a"}]}},
        {"urn": ROBOT, "type": "harbor:index/robotAccount:RobotAccount", "custom": True, "inputs": {}},
        {"urn": SECRET_OF_IT, "type": "vault:kv/secretV2:SecretV2", "custom": True,
         "propertyDependencies": {"dataJson": [ROBOT]}, "parent": STACK},
        {"urn": USER_OF_THAT, "type": "kubernetes:core/v1:Secret", "custom": True,
         "propertyDependencies": {"data": [SECRET_OF_IT], "metadata": None}},
    ]  # fmt: skip


STRAY = finding(
    "alpha: stray", Action.UNMANAGED, import_id="stray", provider="vault", means=Means.ADOPT, system="vault"
)
ADDED = finding(
    "alpha/kubernetes/prod/binding/rw", path="subjects", urn=BINDING, means=Means.REVEAL, expected=[{"name": "a"}]
)


def test_all_findings_of_named_objects_are_chosen_and_no_others() -> None:
    first, second, other = finding(path="a"), finding(path="b"), finding("beta/x")
    assert choose([first.object_key, first.object_key], [first, second, other]) == (first, second)


def test_unknown_keys_and_manual_repairs_are_refused_at_once() -> None:
    share = finding("share", Action.UNMANAGED, means=Means.HAND, call="DELETE /share/1")
    mount = finding("mount", Action.UNMANAGED, means=Means.HAND, holds_data=True, call="bao secrets disable x")
    left = finding("realm", path="resetPasswordAllowed", means=Means.HAND, call="set it back")
    with pytest.raises(RepairError, match="no file sets resetPasswordAllowed"):
        choose([left.object_key], [left])
    assert choose([left.object_key], [left, finding("realm")]) == (finding("realm"),)
    with pytest.raises(RepairError) as caught:
        choose(["*", share.object_key, mount.object_key, finding().object_key[:-1] + "x"], [share, mount, finding()])
    lines = str(caught.value).splitlines()
    assert lines[0] == "*: no finding has this key"
    assert "no plugin of the platform can remove it; manually: DELETE /share/1" in lines[1]
    assert "it holds data, which no repair destroys; manually: bao secrets disable x" in lines[2]
    assert f"did you mean {finding().object_key}?" in lines[3]


def test_an_adopted_object_is_added_to_the_state_and_removed_again() -> None:
    engine = FakeEngine(resources())
    before = engine.export_state()
    done = checkpoint.edit(engine, [STRAY], [])
    (adopted,) = done.adopted.values()
    entry = next(r for r in engine.resources if r["urn"] == adopted)
    assert (entry["id"], entry["provider"], entry["parent"]) == ("stray", f"{VAULT}::v1", STACK)
    assert adopted == f"urn:pulumi:lab::usine::vault:index/policy:Policy::drift/{STRAY.object_key}"
    assert engine.calls == [("refresh", "--yes", "--skip-preview", "--target", adopted)]  # type: ignore[attr-defined]
    checkpoint.undo(engine, done)
    assert engine.export_state() == before


def test_a_kubernetes_object_is_identified_by_its_kind_and_name() -> None:
    role = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole"
    assert checkpoint.kubernetes_identity(role, "r") == {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"},
    }  # fmt: skip
    assert checkpoint.kubernetes_identity("kubernetes:core/v1:Secret", "ns/s") == {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns"},
    }  # fmt: skip


def test_an_object_that_cannot_be_adopted_does_not_stay_in_the_state() -> None:
    engine = FakeEngine(resources(), fails=True)
    before = engine.export_state()
    with pytest.raises(EngineError):
        checkpoint.edit(engine, [STRAY], [ADDED])
    assert engine.export_state() == before


def test_a_property_is_hidden_until_an_update_has_written_it() -> None:
    engine = FakeEngine(resources())
    before = engine.export_state()
    done = checkpoint.edit(engine, [], [ADDED])
    assert "subjects" not in next(r for r in engine.resources if r["urn"] == BINDING)["inputs"]
    checkpoint.undo(engine, done)
    assert engine.export_state() == before
    done = checkpoint.edit(engine, [], [ADDED])
    updated = engine.export_state()
    written = next(r for r in resources_of(updated) if r["urn"] == BINDING)
    written["inputs"]["subjects"] = [{"name": "new"}]
    engine.import_state(updated)
    checkpoint.undo(engine, done)
    assert engine.export_state() == updated, "what the update wrote stays"


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (finding("x", Action.UNMANAGED, import_id="1", provider="gitlab"), "no provider 'gitlab'"),
        (finding("x", Action.UNMANAGED, import_id="1", type="pulumi-python:dynamic/sonarqube:Gate"), "no other"),
    ],
)
def test_an_object_without_a_provider_cannot_be_adopted(broken: Any, message: str) -> None:
    engine = FakeEngine(resources())
    with pytest.raises(EngineError, match=message):
        checkpoint.edit(engine, [broken], [])


def test_resources_that_use_outputs_of_a_new_object_are_updated_too() -> None:
    assert checkpoint.dependents(resources(), [ROBOT]) == sorted([SECRET_OF_IT, USER_OF_THAT])
    assert checkpoint.dependents(resources(), [USER_OF_THAT]) == []


def test_a_patch_is_applied_only_if_the_field_is_unchanged() -> None:
    label = finding(path='metadata.labels["evil.example/x~y"]', expected=ABSENT, found="1")
    pointer = "/metadata/labels/evil.example~1x~0y"
    assert list(steps(label)) == [{"op": "test", "path": pointer, "value": "1"}, {"op": "remove", "path": pointer}]
    secret = finding(path="data.insecure", found=SECRET)
    assert list(steps(secret)) == [{"op": "remove", "path": "/data/insecure"}]
