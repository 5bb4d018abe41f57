"""The tenants of the matrix: one in each state, and tenants with own roles. Each role has its own person."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from model.access import rights_of, roles_of
from model.repository import Mirror
from model.tenant import OwnRole, Right, Role, State, Tenant
from tests import factories
from tests.plans import plan_of
from usine.plan import Plan

#: A person with a role in two tenants. The rights in one tenant must not apply to the other.
BOTH = "both.tenants"


def _tenant(slug: str, state: State = State.ACTIVE, **changes: object) -> Tenant:
    members = {role: (f"{slug}.{role}",) for role in Role if role is not Role.OWNER}
    mirrored = dataclasses.replace(
        factories.app("copy"), mirror=Mirror("https://git.example.org/x.git", "0 3 * * *", "mirror/copy")
    )
    base = factories.tenant(slug, state=state, owner=f"{slug}.owner", members=members)
    return dataclasses.replace(base, repositories=(*base.repositories, mirrored), **changes)  # type: ignore[arg-type]


def _with(tenant: Tenant, role: Role, person: str) -> Tenant:
    members = {**tenant.members, role: (*tenant.members[role], person)}
    return dataclasses.replace(tenant, members=members)


OWN_ROLES = (
    OwnRole("audit", "", frozenset({Right.KUBERNETES_VIEW_PROD, Right.ARGOCD_VIEW_PROD}), ("own.audit",)),
    OwnRole("keeper", "", frozenset({Right.VAULT_SECRETS_PROD, Right.HARBOR_PULL}), ("own.keeper",)),
    OwnRole("release", "", frozenset({Right.ARGOCD_SYNC_PROD, Right.GITLAB_DEVELOPER}), ("own.release",)),
    OwnRole("quality", "", frozenset({Right.SONARQUBE_HOTSPOTS, Right.HARBOR_SCANS}), ("own.quality",)),
)
#: The tenants by slug. `ownpaused` is a suspended tenant with the same roles as `own`.
TENANTS = {
    "live": _with(_tenant("live"), Role.DEVOPS, BOTH),
    "paused": _tenant("paused", State.SUSPENDED),
    "closed": _tenant("closed", State.ARCHIVED),
    "own": _with(_tenant("own", roles=OWN_ROLES), Role.READONLY, BOTH),
    "ownpaused": _tenant(
        "ownpaused",
        State.SUSPENDED,
        roles=tuple(
            dataclasses.replace(role, members=tuple(person.replace("own", "ownpaused") for person in role.members))
            for role in OWN_ROLES
        ),
    ),
}


@functools.cache
def plan() -> Plan:
    """Return the plan of the tenants, with the settings of `factories`."""
    return plan_of(*TENANTS.values())


def people() -> tuple[str, ...]:
    """Return the people of all tenants."""
    return tuple(sorted({person for tenant in TENANTS.values() for person in tenant.people}))


def has(person: str, slug: str, right: Right) -> bool:
    """Return whether the table gives a person a right in a tenant, in the tenant's state."""
    return right in rights_of(TENANTS[slug], person)


def groups_of(person: str) -> tuple[str, ...]:
    """Return a person's groups in Keycloak from the memberships of the plan. Every log-in token has these groups."""
    found = []
    for resource in plan().resources:
        members: Any = resource.inputs.get("members")
        if resource.type.endswith(":GroupMemberships") and person in members:
            slug, _, path = str(resource.name).removesuffix("/members").partition("/keycloak/group/")
            found.append(f"/{slug}/{path}")
    return tuple(sorted(found))


def roles_given(slug: str) -> dict[str, frozenset[Right]]:
    """Return the tenant's roles, with the rights that its state leaves them."""
    return {role.name: role.rights for role in roles_of(TENANTS[slug])}
