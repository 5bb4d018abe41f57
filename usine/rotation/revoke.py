"""Revocation of one stored credential: its system refuses it at once, and the same run hands out another one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from components.sonarqube.dynamic.api import NotFoundError
from pulumi_facts.expiry import is_credential
from pulumi_facts.urns import address_of
from usine.clients import AbsentError, Connections
from usine.clients.sonarqube import translated
from usine.drift.checkpoint import dependents
from usine.rotation.usage import ACCOUNT, RUNNER

Resource = Mapping[str, Any]
_ANALYSIS: Final = "pulumi-python:dynamic/sonarqube:ProjectAnalysisToken"
_CLIENT: Final = "keycloak:openid/client:Client"


@dataclass(frozen=True, slots=True)
class Revocation:
    """What ends in its system, and the URNs that the run then makes again or writes again.

    `by_hand` are those of `objects` whose new value nothing in the state has: a person gives it to the tool.
    """

    objects: tuple[Resource, ...]
    targets: tuple[str, ...]
    by_hand: tuple[Resource, ...] = ()


def prefix_of(slug: str | None) -> str:
    """Return how the names of a tenant's resources begin, or those of the foundation (None)."""
    return f"{slug or 'foundation'}/"


def credentials_of(slug: str | None, resources: Iterable[Resource]) -> Mapping[str, Resource]:
    """Return the credentials of a tenant or of the foundation (None) in the state, by their name without the owner."""
    found = {}
    for resource in resources:
        address = address_of(resource["urn"])
        if address.tenant == slug and is_credential(resource) and not resource.get("delete"):
            found[address.name.removeprefix(prefix_of(slug))] = resource
    return found


def plan_revocation(chosen: Sequence[Resource], resources: Sequence[Resource]) -> Revocation:
    """Return what has to go and what has to be written again.

    The holder of a SonarQube token can create others of its account. So the whole account goes, with all its tokens.
    """
    objects = []
    for resource in chosen:
        if resource["type"] == _ANALYSIS:
            resource = _account_of(resource, resources) or resource  # noqa: PLW2901 - the account replaces its token
        if resource not in objects:
            objects.append(resource)
    clients = [one for one in objects if one["type"] == _CLIENT]
    gone = [str(one["urn"]) for one in objects if one["type"] != _CLIENT]
    # Rights of an account name it by its login, and so depend on it only in the order.
    beside = [
        str(one["urn"]) for one in resources if one.get("custom") and set(gone) & set(one.get("dependencies") or ())
    ]
    targets = {*gone, *beside, *dependents(resources, [*gone, *beside])}
    by_hand = []
    for client in clients:
        used_by = _users(client, resources)
        targets |= {str(one["urn"]) for one in (client, *used_by)}
        if all(one["type"].startswith("keycloak:") for one in used_by):
            by_hand.append(client)
    return Revocation(tuple(objects), tuple(sorted(targets)), tuple(by_hand))


def _users(client: Resource, resources: Iterable[Resource]) -> list[Resource]:
    """Return the objects that use outputs of a client. What these make is the same: only its secret changes."""
    return [
        one
        for one in resources
        if one.get("custom")
        and any(client["urn"] in (used or ()) for used in (one.get("propertyDependencies") or {}).values())
    ]


def _account_of(token: Resource, resources: Iterable[Resource]) -> Resource | None:
    used = {urn for urns in (token.get("propertyDependencies") or {}).values() for urn in urns or ()}
    return next((one for one in resources if one["type"] == ACCOUNT and one["urn"] in used), None)


def delete(resource: Resource, connections: Connections) -> None:
    """End a credential in its system. One that is gone already is no error. Raises ClientError."""
    _DELETIONS[resource["type"]](resource, connections)


def _client(resource: Resource, connections: Connections) -> None:
    """Let Keycloak make another secret for the client, which stays: people's log-ins belong to it.

    A policy of the realm may keep the replaced secret for some time. It has to end, too.
    """
    realm = (resource.get("outputs") or {}).get("realmId")
    path, keycloak = f"{realm}/clients/{resource['id']}/client-secret", connections.keycloak()
    with suppress(AbsentError):
        keycloak.request("POST", path)
        keycloak.delete(f"{path}/rotated")


def _runner(resource: Resource, connections: Connections) -> None:
    connections.gitlab().delete(f"runners/{resource['id']}")


def _robot(resource: Resource, connections: Connections) -> None:
    connections.harbor().delete(str(resource["id"]).strip("/"))


def _deploy_token(owner: str) -> Callable[[Resource, Connections], None]:
    def revoke(resource: Resource, connections: Connections) -> None:
        place, _, token = str(resource["id"]).rpartition(":")
        connections.gitlab().delete(f"{owner}/{place}/deploy_tokens/{token}")

    return revoke


def _access_token(resource: Resource, connections: Connections) -> None:
    """Revoke all tokens of this name: after a renewal, the state still has the id of the first one."""
    project = str(resource["id"]).rpartition(":")[0]
    gitlab, name = connections.gitlab(), (resource.get("outputs") or {}).get("name")
    for token in gitlab.pages(f"projects/{project}/access_tokens", of=f"projects/{project}", state="active"):
        if token["name"] == name:
            gitlab.delete(f"projects/{project}/access_tokens/{token['id']}")


def _account(resource: Resource, connections: Connections) -> None:
    # An account that is deactivated already is not found.
    with translated(), suppress(NotFoundError):
        connections.sonarqube().v2("DELETE", f"/users-management/users/{resource['id']}")


def _analysis_token(resource: Resource, connections: Connections) -> None:
    login, _, name = str(resource["id"]).partition("/")
    with translated(), suppress(NotFoundError):
        connections.sonarqube().post("/api/user_tokens/revoke", login=login, name=name)


_DELETIONS: Final[Mapping[str, Callable[[Resource, Connections], None]]] = {
    "gitlab:index/groupDeployToken:GroupDeployToken": _deploy_token("groups"),
    "gitlab:index/projectAccessToken:ProjectAccessToken": _access_token,
    "gitlab:index/projectDeployToken:ProjectDeployToken": _deploy_token("projects"),
    RUNNER: _runner,
    "harbor:index/robotAccount:RobotAccount": _robot,
    _CLIENT: _client,
    ACCOUNT: _account,
    _ANALYSIS: _analysis_token,
}
#: The types of credentials that tenants and the foundation have, all of which can be revoked.
REVOCABLE: Final = frozenset(_DELETIONS)
