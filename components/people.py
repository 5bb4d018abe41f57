"""Look-up of people's accounts, in systems where a directory creates the accounts (`people: directory`).

A person has no account before the first log-in. A run does not wait for it: it leaves the person out and reports them
as pending, and the first run after the log-in gives them their rights. So the very first run succeeds too, although
nobody can log in before it creates the OIDC clients (issue 11.B2).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime.sync_await import _sync_await

from components.base import Providers, number
from model.naming import PENDING_PEOPLE
from model.settings import FoundationMode, PeopleSource, Settings, System
from model.texts import enumerate_words

#: The name of Keycloak in GitLab's configuration of OpenID Connect.
LOGIN_PROVIDER = "openid_connect"
_MEMBERS = "gitlab:index/getGroupMembership:getGroupMembership"
#: The errors by which each function reports that the account does not exist, or that its realm or group does not exist
#: yet. Every other error ends the run: if it counted as "no account", the run would remove everybody's rights.
#: `getUsers` returns an empty list instead.
_NOT_THERE = {
    "keycloak:index/getUser:getUser": re.compile(r"user with username \S+ not found|\bRealm not found\b"),
    "gitlab:index/getUser:getUser": re.compile(r"couldn't find a user matching"),
    # GitLab's client reports no more about a 404. After a wrong match GitLab may refuse a level, but nobody loses one.
    _MEMBERS: re.compile(r"404 Not Found"),
}
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class KnownPeople:
    """The people who have accounts.

    `keycloak` are their user names in Keycloak; None if the platform creates the accounts. `forge` is the id of the
    account in GitLab by user name; None likewise. `pending` are the people without an account by system, sorted.
    `forge_levels` are the access levels of the members of the tenants' root group in GitLab, by user name.
    """

    keycloak: frozenset[str] | None = None
    forge: Mapping[str, pulumi.Output[int]] | None = None
    pending: Mapping[System, tuple[str, ...]] = field(default_factory=dict)
    forge_levels: Mapping[str, str] = field(default_factory=dict)

    def messages(self) -> list[str]:
        """Return one warning for each system in which people have no account."""
        return [
            f"{PENDING_PEOPLE}{system}: {enumerate_words(people, _MOST_NAMED)}; no account yet, so no rights there "
            "until the first run after they have logged in"
            for system, people in self.pending.items()
        ]


def know_people(settings: Settings, providers: Providers, people: frozenset[str]) -> KnownPeople:
    """Look up which of the people have accounts. Raises RunError if a system does not answer."""
    keycloak: frozenset[str] | None = None
    forge: Mapping[str, pulumi.Output[int]] | None = None
    pending: dict[System, tuple[str, ...]] = {}
    if providers.keycloak is not None and settings.keycloak.people is PeopleSource.DIRECTORY:
        keycloak = frozenset(_users_of_keycloak(settings, providers.keycloak, people))
        pending[System.KEYCLOAK] = tuple(sorted(people - keycloak))
    levels: Mapping[str, str] = {}
    managed = settings.gitlab.people is PeopleSource.MANAGED and settings.foundation is not FoundationMode.SKIP
    if providers.gitlab is not None:
        ids: Mapping[str, Any] | None = None
        if not managed:
            ids = _users_of_gitlab(settings, providers.gitlab, people)
            forge = {person: number(pulumi.Output.from_input(id_)) for person, id_ in ids.items()}
            pending[System.GITLAB] = tuple(sorted(people - forge.keys()))
        levels = _levels_of_gitlab(settings, providers.gitlab, people, ids)
    return KnownPeople(keycloak, forge, {system: names for system, names in pending.items() if names}, levels)


def _levels_of_gitlab(
    settings: Settings, provider: pulumi.ProviderResource, people: frozenset[str], ids: Mapping[str, Any] | None
) -> Mapping[str, str]:
    """Return the access levels of those people who are members of the root group, by user name.

    GitLab makes the person who creates the group its owner, and refuses a lower level in a subgroup: "should be greater
    than or equal to Owner inherited membership".
    """
    found = _all({"": _call(_MEMBERS, {"fullPath": settings.gitlab.root}, provider)})[""]
    members = found["members"] if found else []
    if ids is None:
        return {one["username"]: one["accessLevel"] for one in members if one["username"] in people}
    # People can change their user name in GitLab, so members are matched by id.
    by_id = {int(one["id"]): one["accessLevel"] for one in members}
    return {person: by_id[int(id_)] for person, id_ in ids.items() if by_id and int(id_) in by_id}


def _users_of_keycloak(settings: Settings, provider: pulumi.ProviderResource, people: frozenset[str]) -> set[str]:
    calls = {
        person: _call(
            "keycloak:index/getUser:getUser", {"realmId": settings.keycloak.realm, "username": person}, provider
        )
        for person in sorted(people)
    }
    return {person for person, found in _all(calls).items() if found is not None}


def _users_of_gitlab(
    settings: Settings, provider: pulumi.ProviderResource, people: frozenset[str]
) -> Mapping[str, Any]:
    """Return the ids of accounts by user name, looked up by the identity that people log in with.

    The user name in GitLab is not reliable: its owner can change it, and another person can take it then. Without
    Keycloak there are no identities, and only the platform creates accounts: then they are looked up by user name.
    """
    if not settings.on(System.KEYCLOAK):
        named = {
            person: _call("gitlab:index/getUser:getUser", {"username": person}, provider) for person in sorted(people)
        }
        return {person: found["id"] for person, found in _all(named).items() if found is not None}
    calls = {
        person: _call(
            "gitlab:index/getUsers:getUsers", {"externProvider": LOGIN_PROVIDER, "externUid": person}, provider
        )
        for person in sorted(people)
    }
    ids = {person: [user["id"] for user in found["users"]] for person, found in _all(calls).items() if found}
    for person, several in ids.items():
        if len(several) > 1:
            raise pulumi.RunError(f"GitLab has {len(several)} accounts with the identity {LOGIN_PROVIDER}/{person}")
    return {person: one[0] for person, one in ids.items() if one}


async def _call(token: str, arguments: Mapping[str, str], provider: pulumi.ProviderResource) -> Any:  # noqa: ANN401 - what a provider function returns
    """Return the result of a provider function; None if it reports that the account does not exist."""
    try:
        return await pulumi.runtime.invoke_async(token, dict(arguments), pulumi.InvokeOptions(provider=provider))
    except Exception as error:
        absent = _NOT_THERE.get(token)
        if absent is not None and absent.search(str(error)):
            return None
        raise


def _all(calls: Mapping[str, Awaitable[Any]]) -> Mapping[str, Any]:
    """Wait for all results. The requests run in parallel, because there can be a thousand people."""

    async def together() -> list[Any]:
        return await asyncio.gather(*calls.values())

    # The SDK's own blocking function (pulumi.runtime.invoke) does the same for one call.
    return dict(zip(calls, _sync_await(together()), strict=True))
