"""What nobody manages: the systems' own lists, less what the state knows.

One module per system says what is listed and which objects are the product's own (the account that every realm has, the
protection that GitLab gives a new project's branch): each such rule stands beside the place it is used, with where it
comes from. Nothing is changed anywhere, and a system that does not answer keeps nothing of the others from being seen.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from model.settings import Settings, System
from model.tenant import Tenant
from usine.drift.inventory.argocd import ArgoCD
from usine.drift.inventory.base import CONCURRENCY, Blind, Found, Inventory, Look, Managed, Scope, managed
from usine.drift.inventory.base import System as Listing
from usine.drift.inventory.gitlab import GitLab
from usine.drift.inventory.harbor import Harbor
from usine.drift.inventory.keycloak import Keycloak
from usine.drift.inventory.kubernetes import Kubernetes
from usine.drift.inventory.sonarqube import SonarQube
from usine.drift.inventory.vault import Vault
from usine.engine.lookup.base import LookError

__all__ = ["Blind", "Found", "Inventory", "Managed", "managed", "take_inventory"]

_Make = Callable[[Scope, Mapping[str, str], Path], Listing]
_SYSTEMS: Mapping[System, _Make] = {
    System.KEYCLOAK: Keycloak,
    System.VAULT: Vault,
    System.KUBERNETES: Kubernetes,
    System.ARGOCD: ArgoCD,
    System.GITLAB: GitLab,
    System.HARBOR: Harbor,
    System.SONARQUBE: SonarQube,
}


def take_inventory(
    settings: Settings,
    projects: Iterable[Tenant],
    resources: Iterable[Managed],
    *,
    root: Path,
    environment: Mapping[str, str] | None = None,
) -> Inventory:
    """List the systems that are on, and return what the stack should know and does not.

    Args:
        settings: the platform's side; what the stack holds (`foundation`, `tenants`) is what is spoken of.
        projects: every tenant of the platform, also those the stack does not hold: their objects are theirs.
        resources: the stack's state, see `managed`.
        root: the folder that relative CA files start from.
        environment: where the credentials are, the same variables as the plugins'; this process's own by default.
    """
    variables = os.environ if environment is None else environment
    scope = Scope(settings, projects, resources)
    looks = [
        (system.value, look)
        for system, make in _SYSTEMS.items()
        if settings.on(system)
        for look in make(scope, variables, root).looks()
    ]
    found: set[Found] = set()
    blind: set[Blind] = set()
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        for (system, look), result in zip(looks, pool.map(lambda pair: _take(*pair), looks), strict=True):
            if isinstance(result, LookError):
                blind |= {Blind(system, tenant, str(result)) for tenant in look.tenants if scope.speaks_of(tenant)}
            else:
                found |= {item for item in result if scope.speaks_of(item.tenant)}
    return Inventory(
        tuple(sorted(found, key=lambda item: (item.tenant or "", item.system, item.type, item.name))),
        tuple(sorted(blind, key=lambda item: (item.system, item.tenant or "", item.reason))),
    )


def _take(system: str, look: Look) -> tuple[Found, ...] | LookError:
    try:
        return tuple(look.take())
    except LookError as error:
        return error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # What a system sends is nothing we can rely on: a page of a proxy, an answer of another version.
        return LookError(f"{system} answered what nobody expects: {type(error).__name__}")
