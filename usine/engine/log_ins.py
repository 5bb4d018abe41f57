"""Ends the log-ins to Vault of people who have lost a role, at the end of the run that removes the role.

Vault reads a person's groups at log-in and keeps them as long as the token is renewed: hours. Its API cannot remove a
member from a group that log-ins fill. So the person's entity is deleted: Vault then refuses all tokens of this entity
("the entity on the token is invalid"), and the next log-in creates another one with the current groups. After it the
person has the rights in other tenants again (issue 11.A13).

The other systems need nothing. Keycloak's tokens, for Kubernetes and Argo CD, last minutes and get the current groups
when they are renewed; the run itself sets the members in GitLab and SonarQube; Harbor asks Keycloak whenever a person's
secret is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from model.access import has_any, roles_of
from model.naming import OIDC_AUTH_PATH, names_of
from model.settings import Settings, System
from model.tenant import Tenant
from model.texts import enumerate_words
from usine.engine.lookup import vault
from usine.engine.lookup.base import Rest
from usine.report.model import Notice, Severity

RULE = "log-ins"


@dataclass(frozen=True, slots=True)
class LogIn:
    """A person's entity in Vault with roles that the files no longer grant; `roles` are written `<slug>.<role>`."""

    entity: str
    person: str
    roles: tuple[str, ...]


def end_log_ins(settings: Settings, projects: Iterable[Tenant], environment: Mapping[str, str]) -> tuple[Notice, ...]:
    """End the log-ins of people who have lost a role; return a notice for each, or one with the error."""
    if not (settings.on(System.VAULT) and settings.on(System.KEYCLOAK)):
        return ()
    api = vault.connect(settings.endpoints[System.VAULT], environment)
    try:
        found = sorted(_stale(api, _members(settings, projects)), key=lambda log_in: log_in.person)
        for log_in in found:
            api.call("DELETE", f"identity/entity/id/{log_in.entity}")
    except (requests.RequestException, KeyError) as error:
        text = f"log-ins to Vault of people who have lost a role could not be ended: {type(error).__name__}"
        mend = "run it again: until then their tokens stay valid for hours"
        return (Notice(RULE, Severity.WARNING, text, mend=mend),)
    return tuple(
        Notice(
            RULE, Severity.INFO, f"ended {log_in.person}'s log-ins to Vault, no longer {enumerate_words(log_in.roles)}"
        )
        for log_in in found
    )


def _members(settings: Settings, projects: Iterable[Tenant]) -> Mapping[str, tuple[str, ...]]:
    """Return the members of each identity group of the tenants of this stack."""
    return {
        names_of(project).role_identity_group(role.name): role.members
        for project in projects
        if settings.selected(project.slug)
        for role in roles_of(project)
        if has_any(role.rights, System.VAULT)
    }


def _stale(api: Rest, members: Mapping[str, tuple[str, ...]]) -> Iterator[LogIn]:
    """Yield entities that an earlier log-in put into a group. It takes two lists, and one request for each person."""
    accessor = api.call("GET", "sys/auth")["data"][f"{OIDC_AUTH_PATH}/"]["accessor"]
    groups = {id_: str(group["name"]) for id_, group in _listed(api, "identity/group/id").items()}
    for id_, entity in _listed(api, "identity/entity/id").items():
        people = [str(alias["name"]) for alias in entity.get("aliases") or () if alias["mount_accessor"] == accessor]
        if not people:
            continue
        read = api.call("GET", f"identity/entity/id/{id_}")
        ids = (read or {}).get("data", {}).get("direct_group_ids") or ()
        held = sorted(name for group in ids if (name := groups.get(group)) is not None and name in members)
        left = tuple(name for name in held if people[0] not in members[name])
        if left:
            yield LogIn(id_, people[0], left)


def _listed(api: Rest, path: str) -> Mapping[str, Any]:
    answer = api.call("GET", path, params={"list": "true"})
    found: Mapping[str, Any] = ((answer or {}).get("data") or {}).get("key_info") or {}
    return found
