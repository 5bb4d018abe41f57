"""What a tenant's state means, in one place: who keeps access, what runs, what is protected."""

from __future__ import annotations

from usine.naming import Access, access_of
from usine.spec.model import Environment, Project, Role, State


def members_of_role(project: Project, role: Role) -> tuple[str, ...]:
    """Return who is in a role's group, sorted: the file's list, everyone as readonly when suspended, none archived."""
    if project.state is State.ARCHIVED:
        return ()
    if project.state is State.SUSPENDED:
        return tuple(sorted(project.people)) if role is Role.READONLY else ()
    return project.people_of(role)


def members_of_access(project: Project, environment: Environment, access: Access) -> tuple[str, ...]:
    """Return who is in an environment's access group, sorted. Whoever may write is not listed again as reader."""
    writers = {
        person
        for role in Role
        if access_of(role, production=environment.production) is Access.READ_WRITE
        for person in members_of_role(project, role)
    }
    if access is Access.READ_WRITE:
        return tuple(sorted(writers))
    readers = {person for role in Role for person in members_of_role(project, role)}
    return tuple(sorted(readers - writers))


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
