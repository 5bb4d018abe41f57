"""Observations from the engine's events, and parts that cannot be read. The engine is a script here."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from pulumi_facts.values import SECRET, SECRET_SIGNATURE, SIGNATURE
from tests.drift.values import urn
from usine.drift.findings import Unseen
from usine.drift.observe import Observed, observe, read_events
from usine.engine.cli import Engine, EngineError
from usine.engine.redact import Redactor

POLICY = urn("alpha/vault/policy", "vault:index/policy:Policy", "vault")
GROUP = urn("beta/keycloak/group", "keycloak:index/group:Group", "keycloak")
MOUNT = urn("foundation/vault/mount", "vault:index/mount:Mount", "vault")
VAULT = "urn:pulumi:lab::usine::pulumi:providers:vault::vault::1"
KEYCLOAK = "urn:pulumi:lab::usine::pulumi:providers:keycloak::keycloak::2"
RESOURCES = [
    {"urn": POLICY, "custom": True, "provider": VAULT},
    {"urn": MOUNT, "custom": True, "provider": VAULT},
    {"urn": GROUP, "custom": True, "provider": KEYCLOAK},
]


def read(urn_: str, new: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    old = {"inputs": {"x": 1.0}, "outputs": {"x": 1}}
    metadata = {"urn": urn_, "op": "same", "old": old, "new": new, "provider": VAULT, **more}
    return {"resOutputsEvent": {"metadata": metadata, "planning": True}}


def failed(message: str, urn_: str = "") -> dict[str, Any]:
    return {"diagnosticEvent": {"severity": "error", "message": message, **({"urn": urn_} if urn_ else {})}}


def test_an_observation_has_the_values_of_the_state_and_of_the_system() -> None:
    new = {"inputs": {"x": 2}, "outputs": {"x": 2, "hidden": {SIGNATURE: SECRET_SIGNATURE, "ciphertext": "[secret]"}}}
    found = read_events([read(POLICY, new, detailedDiff={"x": {}}), read(MOUNT, None)], Redactor())
    policy, mount = found.seen[POLICY], found.seen[MOUNT]
    assert policy.live is not None
    assert (policy.known.inputs["x"], policy.live.outputs["x"]) == (1, 2)
    assert (policy.differs, policy.provider, policy.address.tenant) == (("x",), "vault", "alpha")
    assert policy.live.outputs["hidden"] == SECRET
    assert mount.live is None


def test_a_provider_without_detailed_differences_names_whole_properties() -> None:
    found = read_events([read(POLICY, {"inputs": {}, "outputs": {}}, diffs=["conditions"])], Redactor())
    assert found.seen[POLICY].differs == ("conditions",)


@pytest.mark.parametrize(
    ("new", "differs"),
    [
        ({"inputs": {"x": 2, "__provider": "p"}, "outputs": {}}, ("x",)),
        ({"inputs": {"x": 1}, "outputs": {"x": 1, "y": 1}}, ("y",)),
    ],
)
def test_a_provider_that_names_no_property_still_gives_all_differences(
    new: dict[str, Any], differs: tuple[str, ...]
) -> None:
    assert read_events([read(POLICY, new, op="update")], Redactor()).seen[POLICY].differs == differs
    assert read_events([read(POLICY, new, op="same")], Redactor()).seen[POLICY].differs == ()


def test_credentials_that_a_provider_left_unmarked_are_masked() -> None:
    known = "marker-7f3a-of-the-environment"
    new = {"inputs": {}, "outputs": {"token": "marker-unmarked", "note": f"x {known} y", "at": "glpat-abcdefgh12345"}}
    redactor = Redactor.of({"VAULT_TOKEN": known})
    found = read_events([read(POLICY, new), failed(f"refused {known}", MOUNT)], redactor)
    text = repr(found)
    assert not [marker for marker in (known, "marker-unmarked", "glpat-abcdefgh12345") if marker in text]


ENGINE = """\
import json, sys
arguments = sys.argv[1:]
with open({calls!r}, "a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
excluded = {{arguments[i + 1] for i, a in enumerate(arguments) if a == "--exclude"}}
script = json.load(open({script!r}))
for step in script:
    if not set(step["unless"]) <= excluded:
        break
with open(arguments[arguments.index("--event-log") + 1], "w") as log:
    log.writelines(json.dumps(event) + "\\n" for event in step["events"])
sys.exit(step["code"])
"""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    program = tmp_path / "engine.py"
    program.write_text(
        ENGINE.format(calls=str(tmp_path / "calls"), script=str(tmp_path / "script.json")), encoding="utf-8"
    )
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n', encoding="utf-8")
    pulumi.chmod(0o755)
    return Engine(tmp_path, "lab", {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"})


def play(engine: Engine, *steps: tuple[list[str], list[dict[str, Any]], int]) -> Observed:
    """Observe with an engine that plays the first step whose `unless` is not completely excluded, or the last one."""
    script = [{"unless": unless, "events": events, "code": code} for unless, events, code in steps]
    (engine.root / "script.json").write_text(json.dumps(script), encoding="utf-8")
    return observe(engine, RESOURCES)


def calls(engine: Engine) -> list[list[str]]:
    return [json.loads(line) for line in (engine.root / "calls").read_text("utf-8").splitlines()]


GOOD = {"inputs": {"x": 1}, "outputs": {"x": 1}}


def test_an_observation_writes_nothing(engine: Engine) -> None:
    play(engine, (["never"], [read(POLICY, GOOD)], 0))
    (call,) = calls(engine)
    assert call[:2] == ["refresh", "--preview-only"]
    assert "--yes" not in call


@pytest.mark.parametrize("why", ["error talking: HTTP 500", "1 error occurred:\n\t* error talking: HTTP 500\n"])
def test_the_other_objects_are_observed_if_one_cannot_be_read(engine: Engine, why: str) -> None:
    events = [
        read(MOUNT, GOOD),
        read(GROUP, GOOD),
        failed(f"Preview failed: refreshing {POLICY}: {why}\n", POLICY),
    ]
    looked = play(engine, (["never"], events, 1))
    assert [o.address.urn for o in looked.observations] == sorted([GROUP, MOUNT])
    assert looked.unseen == (Unseen("alpha", "vault", "error talking: HTTP 500"),)
    assert len(calls(engine)) == 1


def test_only_the_objects_of_a_plugin_that_cannot_start_are_left_out(engine: Engine) -> None:
    refused = failed(f"could not load provider for resource {POLICY}: could not create provider: connection refused")
    looked = play(engine, ([POLICY, MOUNT], [refused], 255), (["never"], [read(GROUP, GOOD)], 0))
    assert [o.address.urn for o in looked.observations] == [GROUP]
    assert {(part.tenant, part.system) for part in looked.unseen} == {("alpha", "vault"), (None, "vault")}
    assert all("connection refused" in part.why for part in looked.unseen)
    assert len(calls(engine)) == 2


def test_only_the_objects_of_a_plugin_that_exits_are_left_out(engine: Engine) -> None:
    died = failed("error: Detected that /x/plugins/resource-vault-v7.14.0/pulumi-resource-vault exited prematurely.")
    looked = play(engine, ([POLICY, MOUNT], [read(GROUP, GOOD), died], 255), (["never"], [read(GROUP, GOOD)], 0))
    assert [o.address.urn for o in looked.observations] == [GROUP]
    assert {part.tenant for part in looked.unseen} == {"alpha", None}
    assert all("exited prematurely" in part.why for part in looked.unseen)


def test_an_error_without_an_object_fails_the_scan(engine: Engine) -> None:
    with pytest.raises(EngineError, match="incorrect passphrase"):
        play(engine, (["never"], [failed("error: incorrect passphrase")], 255))
    with pytest.raises(EngineError, match="pulumi reported nothing"):
        play(engine, (["never"], [], 1))
