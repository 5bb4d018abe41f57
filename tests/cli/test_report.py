"""The report of a run, from engine events as they come (shapes taken from real event logs)."""

from __future__ import annotations

from typing import Any

from usine.engine.report import make_report
from usine.engine.urns import address_of

STACK = "urn:pulumi:lab::usine::pulumi:pulumi:Stack::usine-lab"
TENANT = "urn:pulumi:lab::usine::usine:usine:TenantProject$usine:{system}:{kind}Tenant${type}::{name}"
POLICY = TENANT.format(system="vault", kind="Vault", type="vault:index/policy:Policy", name="a-b/vault/policy/env/dev")
PROJECT = TENANT.format(
    system="argocd", kind="ArgoCD", type="kubernetes:argoproj.io/v1alpha1:AppProject", name="a-b/argocd/dev/project"
)
REALM = (
    "urn:pulumi:lab::usine::usine:usine:Foundation$usine:keycloak:KeycloakFoundation$keycloak:index/realm:Realm"
    "::foundation/keycloak/realm"
)
PROVIDER = "urn:pulumi:lab::usine::pulumi:providers:vault::vault"


def outputs(op: str, urn: str, *, planning: bool = False) -> dict[str, Any]:
    event: dict[str, Any] = {"metadata": {"op": op, "urn": urn}}
    return {"resOutputsEvent": {**event, "planning": True} if planning else event}


def error(urn: str, message: str) -> dict[str, Any]:
    return {"diagnosticEvent": {"severity": "error", "urn": urn, "message": message}}


def test_an_urn_says_tenant_and_system() -> None:
    assert (address_of(POLICY).tenant, address_of(POLICY).system) == ("a-b", "vault")
    assert (address_of(PROJECT).tenant, address_of(PROJECT).system) == ("a-b", "argocd")
    assert (address_of(REALM).tenant, address_of(REALM).system) == (None, "keycloak")
    assert address_of(PROVIDER).system == "vault"
    assert [address_of(urn).is_object for urn in (POLICY, PROJECT, REALM, PROVIDER, STACK)] == [True] * 3 + [False] * 2


def test_objects_are_counted_once_by_system_and_action_without_the_preview() -> None:
    report = make_report(
        [
            outputs("create", POLICY, planning=True),
            outputs("create", POLICY),
            outputs("update", PROJECT),
            outputs("same", REALM),
            outputs("create", STACK),
            {"summaryEvent": {"durationSeconds": 7}},
        ]
    )
    assert {system: dict(count) for system, count in report.done.items()} == {
        "vault": {"created": 1},
        "argocd": {"changed": 1},
        "keycloak": {"same": 1},
    }
    assert (report.count("created"), report.seconds, report.failures) == (1, 7, [])


def test_a_failure_names_its_tenant_and_system_once_and_in_one_line() -> None:
    report = make_report(
        [
            error(POLICY, "<{%fg 1%}>permission denied<{%reset%}>\nmore"),
            error(POLICY, "update failed"),
            {"resOpFailedEvent": {"metadata": {"urn": POLICY}}},
            error(REALM, "  \n409 Conflict"),
            error(STACK, "Program failed with an unhandled exception:\nTraceback"),
        ]
    )
    assert [(f.address and f.address.name, f.message) for f in report.failures] == [
        ("a-b/vault/policy/env/dev", "permission denied"),
        ("foundation/keycloak/realm", "409 Conflict"),
    ]
    assert report.tenants_touched == ("(foundation)", "a-b")
    assert report.systems_touched == ("keycloak", "vault")


def test_a_program_that_fails_by_itself_is_a_failure() -> None:
    report = make_report([error(STACK, "Program failed with an unhandled exception:\nTraceback")])
    assert [f.message for f in report.failures] == ["Program failed with an unhandled exception:"]
