"""The effects of a tenant's state on deployments and on the protection of data, and the clusters that a stack needs.

For access, see `model.access`.
"""

from __future__ import annotations

from collections.abc import Iterable

from model.naming import names_of
from model.settings import FoundationMode, Settings, System
from model.tenant import Environment, State, Tenant


def protects_data(tenant: Tenant) -> bool:
    """Return whether objects with data are protected from destruction: unless the tenant is archived."""
    return tenant.state is not State.ARCHIVED


def deploys(tenant: Tenant) -> bool:
    """Return whether the tenant has deployments; a suspended tenant keeps them without syncing."""
    return tenant.state is not State.ARCHIVED


def syncs(tenant: Tenant, environment: Environment) -> bool:
    """Return whether Argo CD deploys each change of the repository without a person."""
    return tenant.state is State.ACTIVE and environment.autosync


def is_observed(tenant: Tenant) -> bool:
    """Return whether there are metrics, rules and receivers: the workloads of a suspended tenant still run."""
    return tenant.state is not State.ARCHIVED


def dashboards_url(settings: Settings, tenant: Tenant) -> str | None:
    """Return the address of the tenant's Grafana; None if it has none. A suspended tenant keeps it."""
    grafana = settings.observability.grafana
    if grafana is None or not settings.on(System.OBSERVABILITY):
        return None
    if not is_observed(tenant) or tenant.observability.dashboards is None:
        return None
    return f"https://{names_of(tenant).grafana_host(grafana.domain)}"


def pipelines_run(tenant: Tenant) -> bool:
    """Return whether pipelines run and publish: only an active tenant's do."""
    return tenant.state is State.ACTIVE


def workloads_authenticate(tenant: Tenant) -> bool:
    """Return whether workloads can read their secrets: those of a suspended tenant still run and can."""
    return tenant.state is not State.ARCHIVED


def clusters_in_use(settings: Settings, tenants: Iterable[Tenant]) -> tuple[str, ...]:
    """Return the clusters that this stack needs, sorted. Each one needs a plugin process."""
    if not settings.on(System.KUBERNETES):
        return ()
    if settings.foundation is not FoundationMode.SKIP:
        return tuple(sorted(settings.clusters))
    used = {environment.cluster for tenant in tenants for environment in tenant.environments}
    if settings.on(System.ARGOCD):
        # Of all of them: a drift scan also removes what somebody made for a tenant in the Argo CD of another zone.
        used |= {instance.cluster for instance in settings.argocd.instances}
    grafana = settings.observability.grafana
    if grafana is not None and any(dashboards_url(settings, tenant) for tenant in tenants):
        used.add(grafana.cluster)
    return tuple(sorted(used))
