"""Ends the log-ins to Vault of people who have lost a role, in the run that removes them from it.

Vault learns the groups of a person at the log-in, and keeps them as long as the token is renewed: hours. Its API cannot
remove a member from a group that log-ins fill. So the run deletes the person's entity: Vault then refuses every token
of this entity ("the entity on the token is invalid"), and the next log-in creates another one, with the current groups.
The person's rights in other tenants are back after that log-in (issue 11.A13).

The other systems need nothing. Keycloak's tokens, for Kubernetes and Argo CD, last minutes and are renewed with the
current groups. The run itself manages the members in GitLab and SonarQube. Harbor asks Keycloak whenever a person's
secret is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from model.access import has_any, roles_of
from model.naming import OIDC_AUTH_PATH, names_of
from model.settings import Settings, System
from model.tenant import Tenant
from model.texts import enumerate_words
from usine.clients import ClientError, Connections
from usine.clients.vault import VaultClient
from usine.report.ids import NoticeId
from usine.report.model import Notice, Severity


@dataclass(frozen=True, slots=True)
class StaleLogIn:
    """A person's entity in Vault with roles that the files no longer give; `roles` as ``<slug>.<role>``."""

    entity: str
    person: str
    roles: tuple[str, ...]


def end_log_ins(settings: Settings, tenants: Iterable[Tenant], environment: Mapping[str, str]) -> tuple[Notice, ...]:
    """End the log-ins of people who have lost a role. Return a notice for each, or the reason why that failed."""
    if not (settings.on(System.VAULT) and settings.on(System.KEYCLOAK)):
        return ()
    client = Connections(settings.endpoints, environment).vault()
    try:
        found = sorted(_stale(client, _members(settings, tenants)), key=lambda log_in: log_in.person)
        for log_in in found:
            client.delete(f"identity/entity/id/{log_in.entity}")
    except (ClientError, KeyError) as error:
        why = error.reason if isinstance(error, ClientError) else type(error).__name__
        text = f"log-ins to Vault of people who have lost a role could not be ended: {why}"
        remedy = "run it again: until then their tokens stay valid for hours"
        return (Notice(NoticeId.LOG_INS, Severity.WARNING, text, remedy=remedy),)
    return tuple(
        Notice(
            NoticeId.LOG_INS,
            Severity.INFO,
            f"ended {log_in.person}'s log-ins to Vault, no longer {enumerate_words(log_in.roles)}",
        )
        for log_in in found
    )


def _members(settings: Settings, tenants: Iterable[Tenant]) -> Mapping[str, tuple[str, ...]]:
    """Return the members of each identity group of this stack's tenants."""
    return {
        names_of(tenant).role_identity_group(role.name): role.members
        for tenant in tenants
        if settings.selected(tenant.slug)
        for role in roles_of(tenant)
        if has_any(role.rights, System.VAULT)
    }


def _stale(client: VaultClient, members: Mapping[str, tuple[str, ...]]) -> Iterator[StaleLogIn]:
    """Yield the entities that an earlier log-in put into a group. Sends two lists, then one request per person."""
    accessor = client.listed("sys/auth")["data"][f"{OIDC_AUTH_PATH}/"]["accessor"]
    groups = {id_: str(group["name"]) for id_, group in client.keys("identity/group/id").items()}
    for id_, entity in client.keys("identity/entity/id").items():
        people = [str(alias["name"]) for alias in entity.get("aliases") or () if alias["mount_accessor"] == accessor]
        if not people:
            continue
        ids = client.read(f"identity/entity/id/{id_}").get("direct_group_ids") or ()
        held = sorted(name for group in ids if (name := groups.get(group)) is not None and name in members)
        left = tuple(name for name in held if people[0] not in members[name])
        if left:
            yield StaleLogIn(id_, people[0], left)
