"""Revocation of one stored credential: its system refuses it at once, and the same run makes another one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from components.sonarqube.dynamic.api import NotFoundError
from pulumi_facts.expiry import is_credential
from pulumi_facts.urns import address_of
from usine.clients import Connections
from usine.clients.sonarqube import translated
from usine.drift.checkpoint import dependents
from usine.rotation.usage import ACCOUNT

Resource = Mapping[str, Any]
_ANALYSIS: Final = "pulumi-python:dynamic/sonarqube:ProjectAnalysisToken"


@dataclass(frozen=True, slots=True)
class Revocation:
    """What is deleted in its system, and the URNs that the run then makes again or writes again."""

    objects: tuple[Resource, ...]
    targets: tuple[str, ...]


def credentials_of(slug: str, resources: Iterable[Resource]) -> Mapping[str, Resource]:
    """Return the credentials of a tenant in the state, by their name without the tenant."""
    found = {}
    for resource in resources:
        address = address_of(resource["urn"])
        if address.tenant == slug and is_credential(resource) and not resource.get("delete"):
            found[address.name.removeprefix(f"{slug}/")] = resource
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
    gone = [str(resource["urn"]) for resource in objects]
    # Rights of an account name it by its login, and so depend on it only in the order.
    beside = [
        str(one["urn"]) for one in resources if one.get("custom") and set(gone) & set(one.get("dependencies") or ())
    ]
    return Revocation(tuple(objects), tuple(sorted({*gone, *beside, *dependents(resources, [*gone, *beside])})))


def _account_of(token: Resource, resources: Iterable[Resource]) -> Resource | None:
    used = {urn for urns in (token.get("propertyDependencies") or {}).values() for urn in urns or ()}
    return next((one for one in resources if one["type"] == ACCOUNT and one["urn"] in used), None)


def delete(resource: Resource, connections: Connections) -> None:
    """Delete a credential in its system. One that is gone already is no error. Raises ClientError."""
    _DELETIONS[resource["type"]](resource, connections)


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
    "harbor:index/robotAccount:RobotAccount": _robot,
    ACCOUNT: _account,
    _ANALYSIS: _analysis_token,
}
#: The types of credentials that a tenant has, all of which can be revoked.
REVOCABLE: Final = frozenset(_DELETIONS)
