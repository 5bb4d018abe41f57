"""Scans of one system, with fixed answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from model.settings import Endpoint, Settings, System
from model.tenant import Tenant
from pulumi_facts.tokens import TENANT
from tests.factories import settings, tenant
from usine.drift.inventory import Inventory, Managed, take_inventory

#: The value of every credential: no report may contain it.
MARKER = "planted-credential"
ENVIRONMENT = {
    "GITLAB_TOKEN": MARKER,
    "HARBOR_USERNAME": "platform",
    "HARBOR_PASSWORD": MARKER,
    "VAULT_TOKEN": MARKER,
    "SONAR_TOKEN": MARKER,
    "KEYCLOAK_USER": "platform",
    "KEYCLOAK_PASSWORD": MARKER,
}

#: Empty lists of the whole registry.
EMPTY_HARBOR: dict[str, list[Any]] = {
    f"/api/v2.0/{path}": [] for path in ("robots", "labels", "quotas", "registries", "replication/policies", "users")
}


def resource(type_: str, id_: str, tenant: str | None = "alpha", provider: str = "", **inputs: Any) -> Managed:
    """An object of the state; its outputs are its inputs."""
    composed = f"{TENANT}$" if tenant else ""
    urn = f"urn:pulumi:test::usine::{composed}usine:x:Y${type_}::{tenant or 'foundation'}/{id_}"
    return Managed(urn, type_, id_, inputs, inputs, provider)


def only(system: System, url: str, **changes: Any) -> Settings:
    """Settings with one system only, at this address."""
    base = settings()
    ours = {**base.endpoints, system: Endpoint(url)}
    return dataclasses.replace(base, systems=frozenset({system}), endpoints=ours, **changes)


def scan(
    chosen: Settings,
    resources: Iterable[Managed],
    projects: Iterable[Tenant] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Inventory:
    everyone = projects if projects is not None else (tenant("alpha"), tenant("beta"))
    inventory = take_inventory(
        chosen, everyone, resources, root=Path("/nowhere"), environment=environment or ENVIRONMENT
    )
    assert MARKER not in repr(inventory)
    return inventory


def names(inventory: Inventory) -> set[tuple[str | None, str, str]]:
    """The findings: tenant, last word of the type, name. The scan must have no gap."""
    assert inventory.gaps == ()
    return {(item.tenant, item.type.rpartition(":")[2], item.name) for item in inventory.found}
