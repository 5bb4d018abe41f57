"""The objects that deliver secrets into a tenant's namespaces."""

from __future__ import annotations

import base64
import dataclasses
from pathlib import Path
from typing import Any

from model.clusters import Operator, SecretDelivery
from model.settings import Endpoint, Settings, System
from model.tenant import DeliveredSecret, State, Tenant
from tests import factories
from tests.components.test_kubernetes import objects_of
from tests.plans import plan_of

DATABASE = DeliveredSecret("database", ("dev",), "app/db", {"DB_USER": "username", "DB_PASSWORD": "password"})
WHOLE = DeliveredSecret("whole", ("dev", "prod"), "whole")


def platform(*operators: Operator, on: tuple[str, ...] = ("nonprod-1", "prod-1")) -> Settings:
    """Settings of which these clusters deliver, and open these operators' kinds."""
    base = factories.settings()
    return dataclasses.replace(
        base,
        clusters={
            name: dataclasses.replace(
                cluster, operators=operators, secret_delivery=SecretDelivery(refresh_interval="15m")
            )
            if name in on
            else cluster
            for name, cluster in base.clusters.items()
        },
    )


def made(tenant: Tenant, settings: Settings, kind: str) -> dict[str, Any]:
    """Return the specifications of the objects of a kind, by namespace and name."""
    found = objects_of(plan_of(tenant, settings=settings), kind)
    return {f"{one['metadata']['namespace']}/{one['metadata']['name']}": one["spec"] for one in found}


def test_a_store_logs_in_as_the_account_of_its_namespace_and_stores_nothing() -> None:
    stores = made(factories.tenant(delivered=(WHOLE,)), platform(), "SecretStore")
    assert stores.keys() == {"teleservice-dev/vault", "teleservice-prod/vault"}
    assert stores["teleservice-prod/vault"] == {
        "provider": {
            "vault": {
                "server": "https://vault.example.test",
                "path": "teleservice",
                "version": "v2",
                "auth": {
                    "kubernetes": {
                        "mountPath": "kubernetes/prod-1",
                        "role": "teleservice-prod",
                        "serviceAccountRef": {"name": "vault"},
                    }
                },
            }
        }
    }


def test_a_private_authority_of_vault_is_in_the_store() -> None:
    base = platform()
    endpoints = {**base.endpoints, System.VAULT: Endpoint("https://vault.example.test", Path("pki/vault.pem"))}
    stores = made(factories.tenant(delivered=(WHOLE,)), dataclasses.replace(base, endpoints=endpoints), "SecretStore")
    bundle = stores["teleservice-dev/vault"]["provider"]["vault"]["caBundle"]
    assert base64.b64decode(bundle) == b"[contents of pki/vault.pem]"


def test_an_external_secret_reads_below_the_folder_of_its_environment() -> None:
    secrets = made(factories.tenant(delivered=(DATABASE, WHOLE)), platform(), "ExternalSecret")
    assert secrets.keys() == {"teleservice-dev/database", "teleservice-dev/whole", "teleservice-prod/whole"}
    database, key = secrets["teleservice-dev/database"], "teleservice/env/dev/app/db"
    assert database["data"] == [
        {"secretKey": "DB_USER", "remoteRef": {"key": key, "property": "username"}},
        {"secretKey": "DB_PASSWORD", "remoteRef": {"key": key, "property": "password"}},
    ]
    assert (database["refreshInterval"], database["target"]["name"]) == ("15m", "database")
    assert database["secretStoreRef"] == {"kind": "SecretStore", "name": "vault"}
    assert "dataFrom" not in database
    assert secrets["teleservice-prod/whole"]["dataFrom"] == [{"extract": {"key": "teleservice/env/prod/whole"}}]


def test_the_secret_does_not_have_the_label_of_the_platform_s_own_objects() -> None:
    """The drift scan would take it for an unmanaged one."""
    secrets = made(factories.tenant(delivered=(WHOLE,)), platform(), "ExternalSecret")
    labels = secrets["teleservice-dev/whole"]["target"]["template"]["metadata"]["labels"]
    assert labels["usine.dev/tenant"] == "teleservice"
    assert "app.kubernetes.io/managed-by" not in labels


def test_an_environment_has_a_store_only_if_something_uses_it() -> None:
    nothing = factories.tenant()
    assert made(nothing, platform(), "SecretStore") == {}
    assert len(made(nothing, platform(Operator.EXTERNAL_SECRETS), "SecretStore")) == 2
    dev = factories.tenant(delivered=(DATABASE,))
    assert made(dev, platform(), "SecretStore").keys() == {"teleservice-dev/vault"}
    assert made(dev, platform(on=()), "SecretStore") == {}
    assert made(dev, platform(on=()), "ExternalSecret") == {}


def test_an_archived_tenant_gets_no_secrets() -> None:
    for state, stores in ((State.SUSPENDED, 1), (State.ARCHIVED, 0)):
        found = made(factories.tenant(delivered=(DATABASE,), state=state), platform(), "SecretStore")
        assert len(found) == stores, state


def test_without_vault_nothing_is_delivered() -> None:
    settings = dataclasses.replace(platform(), systems=frozenset({System.KUBERNETES}))
    assert made(factories.tenant(delivered=(DATABASE,)), settings, "SecretStore") == {}
