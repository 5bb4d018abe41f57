"""Settings with a cluster that pulls, and the state that a run of the engine leaves for a plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.clusters import ClusterPull, SecretDelivery
from model.settings import Settings, System
from model.tenant import Tenant
from pulumi_facts import urns
from tests import factories
from tests.plans import plan_of

KEYS = Path("zones/far.json")
ISSUER = "https://far.example.test"
ZONE = "lab"


def pulling(gitlab: str = "https://gitlab.example.test", **changes: Any) -> Settings:
    """Settings whose production cluster pulls."""
    base = factories.settings()
    prod = dataclasses.replace(
        base.clusters["prod-1"],
        context="",
        ca=None,
        secret_delivery=SecretDelivery(),
        pull=ClusterPull(ISSUER, KEYS),
    )
    endpoints = {**base.endpoints, System.GITLAB: dataclasses.replace(base.endpoints[System.GITLAB], url=gitlab)}
    settings = dataclasses.replace(base, endpoints=endpoints, clusters={**base.clusters, "prod-1": prod})
    return dataclasses.replace(settings, **changes)


def state_of(*tenants: Tenant, settings: Settings | None = None, only: str = "kubernetes-prod-1") -> Mapping[str, Any]:
    """The checkpoint of the objects of one provider, as `pulumi stack export` gives it."""
    resources = [
        {
            "urn": urns.make("test", "usine", resource.key),
            "type": resource.type,
            "custom": True,
            "id": resource.name,
            "inputs": resource.inputs,
            "outputs": {},
            "protect": resource.protect,
            "provider": f"urn:pulumi:test::usine::pulumi:providers:kubernetes::{only}::4f2d",
        }
        for resource in plan_of(*tenants, settings=settings or pulling()).resources
        if resource.options.provider == only
    ]
    return {"deployment": {"resources": resources}}
