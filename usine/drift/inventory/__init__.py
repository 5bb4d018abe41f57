"""Finds unmanaged objects: those in the systems' own lists that are not in the state.

One module per system lists its objects, without those that the system itself creates (the account that every realm has,
the protection of a new project's branch in GitLab). Each such rule has its source beside it. The inventory changes
nothing. If one system does not answer, the scan of the others goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from model.settings import Settings, System
from model.tenant import Tenant
from usine.clients import ClientError, Connections
from usine.clients.connections import below
from usine.clients.session import CONCURRENCY
from usine.drift.inventory.argocd import ArgoCDInventory
from usine.drift.inventory.base import (
    Found,
    Inventory,
    InventoryScan,
    InventoryScope,
    Managed,
    ScanGap,
    SystemInventory,
    managed,
)
from usine.drift.inventory.gitlab import GitLabInventory
from usine.drift.inventory.harbor import HarborInventory
from usine.drift.inventory.keycloak import KeycloakInventory
from usine.drift.inventory.kubernetes import KubernetesInventory
from usine.drift.inventory.observability import ObservabilityInventory
from usine.drift.inventory.sonarqube import SonarQubeInventory
from usine.drift.inventory.vault import VaultInventory

__all__ = ["Found", "Inventory", "Managed", "ScanGap", "managed", "take_inventory"]

_SYSTEMS: Mapping[System, Callable[[InventoryScope, Connections], SystemInventory]] = {
    System.KEYCLOAK: KeycloakInventory,
    System.VAULT: VaultInventory,
    System.KUBERNETES: KubernetesInventory,
    System.ARGOCD: ArgoCDInventory,
    System.GITLAB: GitLabInventory,
    System.HARBOR: HarborInventory,
    System.SONARQUBE: SonarQubeInventory,
    System.OBSERVABILITY: ObservabilityInventory,
}


def take_inventory(
    settings: Settings,
    tenants: Iterable[Tenant],
    resources: Iterable[Managed],
    *,
    root: Path,
    environment: Mapping[str, str] | None = None,
) -> Inventory:
    """Return the objects of the systems that the stack's state does not have.

    Args:
        settings: the platform's side; `foundation` and `tenants` say which objects belong to the stack.
        tenants: every tenant of the platform, also those of other stacks: their objects are theirs.
        resources: the stack's state, see `managed`.
        root: the folder where relative CA files start.
        environment: where the credentials are, in the plugins' variables; by default this process's own.
    """
    variables = os.environ if environment is None else environment
    connections = Connections(below(root, settings.endpoints), variables)
    scope = InventoryScope(settings, tenants, resources)
    scans = [
        (system.value, scan)
        for system, make in _SYSTEMS.items()
        if settings.on(system)
        for scan in make(scope, connections).scans()
    ]
    found: set[Found] = set()
    gaps: set[ScanGap] = set()
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        for (system, scan), result in zip(scans, pool.map(lambda pair: _run(*pair), scans), strict=True):
            if isinstance(result, ClientError):
                gaps |= {ScanGap(system, tenant, str(result)) for tenant in scan.tenants if scope.includes(tenant)}
            else:
                found |= {item for item in result if scope.includes(item.tenant)}
    return Inventory(
        tuple(sorted(found, key=lambda item: (item.tenant or "", item.system, item.type, item.name))),
        tuple(sorted(gaps, key=lambda item: (item.system, item.tenant or "", item.reason))),
    )


def _run(system: str, scan: InventoryScan) -> tuple[Found, ...] | ClientError:
    try:
        return tuple(scan.run())
    except ClientError as error:
        return error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # The answer has another shape than documented: a page of a proxy, or another version of the system.
        return ClientError(f"{system} gave an unexpected answer: {type(error).__name__}")
