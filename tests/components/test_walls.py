"""Restrictions that no tenant file and no settings can remove (issue 11.A15)."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from components.kubernetes.network import NEVER_OPEN
from model.argocd import ArgoCDSettings
from model.settings import System
from model.tenant import State
from tests import factories
from tests.plans import plan_of
from usine.plan import Plan


def policies(plan: Plan, name: str) -> list[dict[str, Any]]:
    all_: list[dict[str, Any]] = [dict(r.inputs) for r in plan.resources if r.type.endswith(":NetworkPolicy")]
    return [policy["spec"] for policy in all_ if policy["metadata"]["name"].startswith(name)]


def test_an_egress_opening_never_reaches_link_local_addresses() -> None:
    settings = factories.settings()
    open_wide = {name: dataclasses.replace(c, internal_networks=()) for name, c in settings.clusters.items()}
    plan = plan_of(factories.tenant(), settings=dataclasses.replace(settings, clusters=open_wide))
    found = policies(plan, "allow-egress-")
    assert found
    for policy in found:
        (rule,) = policy["egress"]
        assert [peer["ipBlock"]["except"] for peer in rule["to"]] == [list(NEVER_OPEN)]


def test_the_platforms_services_are_open_at_named_ports_only() -> None:
    settings = factories.settings()
    clusters = {
        name: dataclasses.replace(c, platform_networks=("10.20.0.0/27",), platform_ports=(443, 3128))
        for name, c in settings.clusters.items()
    }
    found = policies(plan_of(factories.tenant(), settings=dataclasses.replace(settings, clusters=clusters)), "allow-pl")
    assert found
    for policy in found:
        (rule,) = policy["egress"]
        assert [(port["port"], port["protocol"]) for port in rule["ports"]] == [(443, "TCP"), (3128, "TCP")]


def test_argo_cd_has_exactly_the_administrators_of_the_settings() -> None:
    settings = factories.settings()
    named = ArgoCDSettings(settings.argocd.instances, ("/platform",))
    for argocd, policy in ((settings.argocd, ""), (named, "g, /platform, role:admin\n")):
        plan = plan_of(factories.tenant(), settings=dataclasses.replace(settings, argocd=argocd))
        data: dict[str, Any] = {r.name: r.inputs["data"] for r in plan.resources if r.type.endswith(":ConfigMapPatch")}
        rights, own = data["foundation/argocd/rights"], data["foundation/argocd/settings"]
        assert (rights["policy.default"], rights["policy.csv"]) == ("", policy)
        assert (own["admin.enabled"], own["exec.enabled"]) == ("false", "false")
        impersonation = "application.sync.impersonation"
        assert (own[f"{impersonation}.enabled"], own[f"{impersonation}.enforced"]) == ("true", "true")


def test_only_harbors_client_may_request_offline_tokens() -> None:
    """By default, a new client has the realm's optional scopes, including `offline_access` (issue 11.A14)."""
    resources = plan_of(factories.tenant()).resources
    clients = {r.inputs["clientId"] for r in resources if r.type == "keycloak:openid/client:Client"}
    scopes = {
        r.name.split("/")[-2]: r.inputs["optionalScopes"]
        for r in resources
        if r.type == "keycloak:openid/clientOptionalScopes:ClientOptionalScopes"
    }
    assert scopes == {client: ["offline_access"] if client == "harbor" else [] for client in clients}


_KEY = "vault:transit/secretBackendKey:SecretBackendKey"
_POLICY = "vault:index/policy:Policy"


def test_only_protected_pipelines_sign_and_no_key_leaves_vault() -> None:
    resources = plan_of(factories.tenant("a"), factories.tenant("gone", state=State.ARCHIVED)).resources
    keys = {str(r.inputs["name"]): r for r in resources if r.type == _KEY}
    assert keys.keys() == {"a", "gone"}
    for name, key in keys.items():
        assert (key.inputs["exportable"], key.inputs["allowPlaintextBackup"]) == (False, False)
        # Vault deletes a key only if this allows it.
        assert (key.inputs["deletionAllowed"], key.protect) == ((True, False) if name == "gone" else (False, True))
    policies = {str(r.inputs["name"]): str(r.inputs["policy"]) for r in resources if r.type == _POLICY}
    assert {name for name, text in policies.items() if "usine-signing/sign/" in text} == {"a.ci"}
    assert {name for name, text in policies.items() if "usine-signing/keys/a" in text} >= {"a.ci", "a.review"}
    assert not [name for name, text in policies.items() if re.search(r'usine-signing[^"]*\*', text)]


@pytest.mark.parametrize("system", [System.GITLAB, System.HARBOR])
def test_without_pipelines_or_a_registry_there_is_nothing_to_sign(system: System) -> None:
    settings = factories.settings(systems=factories.settings().systems - {system})
    resources = plan_of(factories.tenant(), settings=settings).resources
    assert [r.name for r in resources if "signing" in r.name] == []
    assert [r.name for r in resources if r.type == _POLICY and "usine-signing" in str(r.inputs["policy"])] == []
