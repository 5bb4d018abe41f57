"""What a tenant's state means: what runs, what is protected. Who keeps access is in `usine.access`."""

from __future__ import annotations

from usine.spec.model import Environment, Project, State


def protects_data(project: Project) -> bool:
    """Say whether what holds data is protected from destruction: until the tenant is archived."""
    return project.state is not State.ARCHIVED


def deploys(project: Project) -> bool:
    """Say whether the tenant has deployments at all; a suspended one keeps them, frozen."""
    return project.state is not State.ARCHIVED


def syncs(project: Project, environment: Environment) -> bool:
    """Say whether Argo CD follows the repository by itself."""
    return project.state is State.ACTIVE and environment.autosync


def pipelines_run(project: Project) -> bool:
    """Say whether pipelines run and publish: only an active tenant's do."""
    return project.state is State.ACTIVE


def workloads_authenticate(project: Project) -> bool:
    """Say whether workloads still reach their secrets: running ones do, also when suspended."""
    return project.state is not State.ARCHIVED
