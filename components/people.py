"""Which people the systems know, where the platform does not make their accounts (`people: directory`).

A person has no account before the first log-in. Nobody is waited for: such a person is left out and reported as
pending, and the first run after the log-in gives them their rights. The first run of all goes through likewise, though
nobody can log in before it: it makes the clients that people log in by (issue 11.B2).
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

#: The name under which GitLab's log-in by OpenID Connect knows its provider.
LOGIN_PROVIDER = "openid_connect"
_MEMBERS = "gitlab:index/getGroupMembership:getGroupMembership"
#: How each function says that there is no such account, or not yet the realm or group that would have it. Every other
#: error ends the run: to take one for "no account" would take away everybody's rights. `getUsers` answers with an empty
#: list.
_NOT_THERE = {
    "keycloak:index/getUser:getUser": re.compile(r"user with username \S+ not found|\bRealm not found\b"),
    "gitlab:index/getUser:getUser": re.compile(r"couldn't find a user matching"),
    # All that GitLab's client says of a 404. Taken wrongly, GitLab refuses a level; nobody loses one.
    _MEMBERS: re.compile(r"404 Not Found"),
}
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class KnownPeople:
    """The people that have accounts.

    `keycloak` are the user names there, None where the platform makes them. `forge` is the account's id in GitLab by
    user name, None likewise. `pending` are, by system, those who have none yet, sorted. `forge_levels` are the levels
    that members of the tenants' root group have in GitLab, by user name.
    """

    keycloak: frozenset[str] | None = None
    forge: Mapping[str, pulumi.Output[int]] | None = None
    pending: Mapping[System, tuple[str, ...]] = field(default_factory=dict)
    forge_levels: Mapping[str, str] = field(default_factory=dict)

    def messages(self) -> list[str]:
        """Return a line per system whose people are not complete."""
        return [
            f"{PENDING_PEOPLE}{system}: {enumerate_words(people, _MOST_NAMED)}; no account yet, so no rights there "
            "until the first run after they have logged in"
            for system, people in self.pending.items()
        ]


def know_people(settings: Settings, providers: Providers, people: frozenset[str]) -> KnownPeople:
    """Ask the systems which of the people they know, all at once. Raises RunError where one cannot be asked."""
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
    """Return who of the people is a member of the root group, as GitLab makes the one who creates it.

    GitLab refuses a lower level below it: "should be greater than or equal to Owner inherited membership".
    """
    found = _all({"": _call(_MEMBERS, {"fullPath": settings.gitlab.root}, provider)})[""]
    members = found["members"] if found else []
    if ids is None:
        return {one["username"]: one["accessLevel"] for one in members if one["username"] in people}
    # A user name is its owner's to change.
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
    """Look accounts up by the identity they log in with: a user name is its owner's to change, and free afterwards.

    Without Keycloak there are no identities, and only the platform makes accounts: there, by user name.
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


async def _call(token: str, arguments: Mapping[str, str], provider: pulumi.ProviderResource) -> Any:  # noqa: ANN401
    """Return what the function answers; None where it says that there is no such account."""
    try:
        return await pulumi.runtime.invoke_async(token, dict(arguments), pulumi.InvokeOptions(provider=provider))
    except Exception as error:
        absent = _NOT_THERE.get(token)
        if absent is not None and absent.search(str(error)):
            return None
        raise


def _all(calls: Mapping[str, Awaitable[Any]]) -> Mapping[str, Any]:
    """Wait for all answers. One after the other, a thousand people cost a thousand times a request's time."""

    async def together() -> list[Any]:
        return await asyncio.gather(*calls.values())

    # What the SDK's own blocking functions do (pulumi.runtime.invoke), for many at once.
    return dict(zip(calls, _sync_await(together()), strict=True))
