"""Who may do what in a tenant, by its file and its state: roles with their rights and members.

Rights are those of `model.rights`. The people of a suspended tenant can read and change nothing; those of an archived
tenant have no access.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from model.naming import Access
from model.rights import MEANINGS, RIGHTS, Where, with_included
from model.tenant import Environment, Right, Role, State, Tenant


@dataclass(frozen=True, slots=True)
class TenantRole:
    """A role as it is in the tenant's present state. `members` are user names, sorted; only own roles are described."""

    name: str
    rights: frozenset[Right]
    members: tuple[str, ...]
    description: str = ""


def roles_of(tenant: Tenant) -> tuple[TenantRole, ...]:
    """Return the tenant's roles: the platform's, then its own in the order of the file.

    In a tenant that is not active, no role has more rights than `readonly`, so older sessions and tokens give no more.
    Suspended: everyone with a role of the platform is in `readonly`, and the tenant's own roles keep their people.
    Archived: the roles stay, without members.
    """
    found = [TenantRole(role.value, RIGHTS[role], tenant.people_of(role)) for role in Role]
    found += [
        TenantRole(own.name, with_included(own.rights), tuple(sorted(own.members)), own.description)
        for own in tenant.roles
    ]
    if tenant.state is State.ACTIVE:
        return tuple(found)
    everyone = tuple(sorted({person for role in Role for person in tenant.people_of(role)}))

    def members(role: TenantRole) -> tuple[str, ...]:
        if tenant.state is State.ARCHIVED:
            return ()
        if role.name == Role.READONLY:
            return everyone
        return () if role.name in set(Role) else role.members

    return tuple(
        dataclasses.replace(role, rights=role.rights & RIGHTS[Role.READONLY], members=members(role)) for role in found
    )


def rights_of(tenant: Tenant, person: str) -> frozenset[Right]:
    """Return everything a person may do in the tenant now, by all roles they have."""
    return frozenset(right for role in roles_of(tenant) if person in role.members for right in role.rights)


def secrets(environment: Environment) -> Right:
    """Return the right to read and write what the workloads of an environment read."""
    return Right.VAULT_SECRETS_PROD if environment.production else Right.VAULT_SECRETS_NONPROD


def namespace(environment: Environment) -> tuple[Right, Right]:
    """Return the rights to view an environment's namespace, and to change its workloads."""
    if environment.production:
        return Right.KUBERNETES_VIEW_PROD, Right.KUBERNETES_CHANGE_PROD
    return Right.KUBERNETES_VIEW_NONPROD, Right.KUBERNETES_CHANGE_NONPROD


def deployments(environment: Environment) -> tuple[Right, Right]:
    """Return the rights to view an environment's deployments, and to sync them."""
    if environment.production:
        return Right.ARGOCD_VIEW_PROD, Right.ARGOCD_SYNC_PROD
    return Right.ARGOCD_VIEW_NONPROD, Right.ARGOCD_SYNC_NONPROD


def members_of_access(tenant: Tenant, environment: Environment, access: Access) -> tuple[str, ...]:
    """Return who is in an environment's access group, sorted. A person who may change it is not listed as reader."""
    look, change = namespace(environment)
    writers = _holders(tenant, change)
    if access is Access.READ_WRITE:
        return tuple(sorted(writers))
    return tuple(sorted(_holders(tenant, look) - writers))


def readers_of_dashboards(tenant: Tenant) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the roles whose people may query all metrics and logs of the tenant, and those that only read dashboards.

    Grafana cannot tell the environments of a tenant apart: a role needs the right to view each of them. Who may also
    change the workloads of one may write queries of their own.
    """
    looks = {namespace(environment)[0] for environment in tenant.environments}
    changes = {namespace(environment)[1] for environment in tenant.environments}
    seeing = [role for role in roles_of(tenant) if looks and looks <= role.rights]
    editors = tuple(role.name for role in seeing if changes & role.rights)
    return editors, tuple(role.name for role in seeing if role.name not in editors)


def _holders(tenant: Tenant, right: Right) -> frozenset[str]:
    return frozenset(person for role in roles_of(tenant) if right in role.rights for person in role.members)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a person has a right. `environments` are those it is about, empty where it is about all of the tenant.

    `through` are the person's roles that give it, `others` every role of the tenant that does, both in order.
    """

    right: Right
    environments: tuple[str, ...]
    through: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def allowed(self) -> bool:
        """Return whether the person has it now."""
        return bool(self.through)


def answers(tenant: Tenant, person: str) -> Iterator[Answer]:
    """Yield an answer for each right, but for those about environments of which the tenant has none."""
    roles = roles_of(tenant)
    for right in Right:
        where = MEANINGS[right].where
        environments = tuple(
            environment.name
            for environment in tenant.environments
            if where is not None and (where is Where.PROD) == environment.production
        )
        if where is not None and not environments:
            continue
        giving = [role for role in roles if right in role.rights]
        through = tuple(role.name for role in giving if person in role.members)
        yield Answer(right, environments, through, tuple(role.name for role in giving))


def has_any(rights: Collection[Right], system: str) -> bool:
    """Return whether some of the rights are in a system."""
    return any(right.system == system for right in rights)
