"""What a tenant's state means: what runs, what is protected. Who keeps access is in `model.access`."""

from __future__ import annotations

from model.tenant import Environment, State, Tenant


def protects_data(tenant: Tenant) -> bool:
    """Say whether what holds data is protected from destruction: until the tenant is archived."""
    return tenant.state is not State.ARCHIVED


def deploys(tenant: Tenant) -> bool:
    """Say whether the tenant has deployments at all; a suspended one keeps them, frozen."""
    return tenant.state is not State.ARCHIVED


def syncs(tenant: Tenant, environment: Environment) -> bool:
    """Say whether Argo CD follows the repository by itself."""
    return tenant.state is State.ACTIVE and environment.autosync


def pipelines_run(tenant: Tenant) -> bool:
    """Say whether pipelines run and publish: only an active tenant's do."""
    return tenant.state is State.ACTIVE


def workloads_authenticate(tenant: Tenant) -> bool:
    """Say whether workloads still reach their secrets: running ones do, also when suspended."""
    return tenant.state is not State.ARCHIVED
