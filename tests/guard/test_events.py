"""A run read from the engine's events; their form is that of real event logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_facts.urns import address_of
from pulumi_facts.values import ABSENT, SECRET
from tests.guard.samples import PROVIDER, REALM, STACK, end, error, failed, pre, vault
from usine.engine.events import make_events, read_events
from usine.engine.redact import Redactor
from usine.report.model import PropertyChange

POLICY = vault("a-b", "Policy", "policy/env/dev")
PROJECT = (
    "urn:pulumi:lab::usine::usine:usine:TenantProject$usine:argocd:ArgoCDTenant$kubernetes:argoproj.io/v1alpha1:AppProject"
    "::a-b/argocd/dev/project"
)
PLAIN = Redactor()


def test_a_urn_has_the_tenant_and_the_system() -> None:
    assert (address_of(POLICY).tenant, address_of(POLICY).system) == ("a-b", "vault")
    assert (address_of(PROJECT).tenant, address_of(PROJECT).system) == ("a-b", "argocd")
    assert (address_of(REALM).tenant, address_of(REALM).system) == (None, "keycloak")
    assert address_of(PROVIDER).system == "vault"
    assert [address_of(urn).is_object for urn in (POLICY, PROJECT, REALM, PROVIDER, STACK)] == [True] * 3 + [False] * 2


def test_each_resource_is_one_step_with_its_time() -> None:
    events = make_events(
        [
            pre("same", REALM),
            end("same", REALM),
            pre("create", POLICY, 100),
            end("create", POLICY, 107),
            pre("create-replacement", PROJECT, 110),
            end("create-replacement", PROJECT, 111),
            pre("replace", PROJECT, 111),
            end("replace", PROJECT, 111),
            pre("delete-replaced", PROJECT, 112),
            end("delete-replaced", PROJECT, 115),
            {"summaryEvent": {"durationSeconds": 17}},
        ],
        PLAIN,
    )
    steps = [(s.op, s.address.name, s.done, s.seconds, s.removes) for s in events.steps]
    assert steps == [
        ("create", "a-b/vault/policy/env/dev", True, 7, False),
        ("replace", "a-b/argocd/dev/project", True, 5, True),
    ]
    assert dict(events.same) == {"keycloak": 1}
    assert events.seconds == 17


def test_a_step_that_failed_or_never_ended_is_not_done() -> None:
    events = make_events(
        [
            pre("create", POLICY, 1),
            failed("create", POLICY, 3),
            pre("update", PROJECT, 2),
        ],
        PLAIN,
    )
    assert [step.done for step in events.steps] == [False, False]


def test_each_failed_object_has_one_failure_of_one_line() -> None:
    events = make_events(
        [
            error(POLICY, "<{%fg 1%}>permission denied<{%reset%}>\nmore"),
            error(POLICY, "update failed"),
            failed("update", POLICY),
            error(REALM, "  \n1 error occurred:\n\t* 409 Conflict\n"),
            error(STACK, "Program failed with an unhandled exception:\nTraceback"),
        ],
        PLAIN,
    )
    assert [(f.address and f.address.name, f.message) for f in events.failures] == [
        ("a-b/vault/policy/env/dev", "permission denied"),
        ("foundation/keycloak/realm", "409 Conflict"),
    ]


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            "<{%reset%}>Preview failed: 1 error occurred:\n\t* the Kubernetes API server refused it\n\n<{%reset%}>",
            "the Kubernetes API server refused it",
        ),
        (f"updating {POLICY}: 2 errors occurred:\n\t* first\n\t* second\n", "first"),
        ("Preview failed: 1 error occurred:\n\t* reading x: 1 error occurred:\n\t* 403 Forbidden\n", "403 Forbidden"),
        ("1 error occurred:\n", "1 error occurred:"),
        ("no more than 3 errors occurred: so it goes on", "no more than 3 errors occurred: so it goes on"),
        ("", ""),
    ],
)
def test_a_failure_has_its_cause_and_not_the_number_of_errors(message: str, cause: str) -> None:
    (failure,) = make_events([error(POLICY, message)], PLAIN).failures
    assert failure.message == cause


def test_a_program_that_fails_is_a_failure() -> None:
    events = make_events([error(STACK, "Program failed with an unhandled exception:\nTraceback")], PLAIN)
    assert [f.message for f in events.failures] == ["Program failed with an unhandled exception:"]


def test_properties_are_found_by_their_paths() -> None:
    old = {
        "inputs": {"spec": {"hard": {"limits.cpu": "1"}}, "members": ["ann"]},
        "outputs": {"members": ["ann", "eve"]},
    }
    new = {"inputs": {"spec": {"hard": {"limits.cpu": "2"}}, "members": ["ann"], "note": None}}
    detailed = {
        'spec.hard["limits.cpu"]': {"diffKind": "update", "inputDiff": True},
        "members[1]": {"diffKind": "delete"},
        "note": {"diffKind": "add"},
    }
    events = make_events([pre("update", POLICY, old=old, new=new, detailedDiff=detailed)], PLAIN)
    assert events.steps[0].properties == (
        PropertyChange("members[1]", "eve", ABSENT),
        PropertyChange("note", ABSENT, None),
        PropertyChange('spec.hard["limits.cpu"]', "1", "2"),
    )


def test_without_a_detailed_diff_the_changed_keys_are_shown() -> None:
    old, new = {"inputs": {"policy": "a"}}, {"inputs": {"policy": "b"}}
    events = make_events([pre("update", POLICY, old=old, new=new, diffs=["policy"], detailedDiff=None)], PLAIN)
    assert events.steps[0].properties == (PropertyChange("policy", "a", "b"),)


def test_mandatory_and_advisory_violations_are_distinguished() -> None:
    said = {"policyName": "quota", "message": "<{%fg 1%}>no quota<{%reset%}>", "resourceUrn": POLICY}
    events = make_events(
        [
            {"policyEvent": {**said, "enforcementLevel": "mandatory"}},
            {"policyEvent": {"policyName": "size", "message": "large", "enforcementLevel": "advisory"}},
        ],
        PLAIN,
    )
    first, second = events.violations
    assert (first.policy, first.address and first.address.tenant, first.message, first.mandatory) == (
        "quota",
        "a-b",
        "no quota",
        True,
    )
    assert (second.address, second.mandatory) == (None, False)


def test_no_credential_is_shown() -> None:
    marker = "Ma-rker-0123456789"
    redactor = Redactor.of({"VAULT_TOKEN": marker, "HOME": "/home/ann", "GITLAB_TOKEN_FILE": "/run/token"})
    old = {"inputs": {"url": f"https://ann:{marker}x@example.org/a", "note": "/run/token"}, "outputs": {}}
    new = {
        "inputs": {"url": "https://ann:other-one@example.org/a", "password": "short", "note": "hvs.CAESIJ0123456789"}
    }
    detailed = {path: {"diffKind": "update", "inputDiff": True} for path in ("url", "password", "note")}
    events = make_events(
        [
            pre("update", POLICY, old=old, new=new, detailedDiff=detailed),
            error(POLICY, f"403 for {marker}: header X-Vault-Token: hvs.CAESIJ0123456789abc, tried"),
            {"policyEvent": {"policyName": "p", "message": f"found glpat-{'x' * 20} here"}},
        ],
        redactor,
    )
    text = repr(events)
    for secret in (marker, "other-one", "short", "hvs.", "glpat-"):
        assert secret not in text
    assert f"403 for {SECRET}: header X-Vault-Token: {SECRET}, tried" in text
    assert "/run/token" in text, "a path is no secret"


def test_an_incomplete_log_is_read_up_to_its_last_complete_line(tmp_path: Path) -> None:
    log = tmp_path / "events.json"
    assert read_events(log, PLAIN).steps == ()
    log.write_text('{"summaryEvent": {"durationSeconds": 3}}\n{"resourcePreEv', encoding="utf-8")
    assert read_events(log, PLAIN).seconds == 3
