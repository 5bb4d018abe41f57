"""Which objects of a state are stored credentials, and when each of them ends."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any, Final

Resource = Mapping[str, Any]
Moment = datetime.datetime


def _value(resource: Resource, key: str) -> object:
    """Return a property as the system gave it, or as it was asked for."""
    found = (resource.get("outputs") or {}).get(key)
    return (resource.get("inputs") or {}).get(key) if found is None else found


def _moment(text: object) -> Moment | None:
    """Read a time, or a date as its first moment, in UTC; None for anything else."""
    try:
        found = datetime.datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if found is None:
        return None
    return found.replace(tzinfo=datetime.UTC) if found.tzinfo is None else found.astimezone(datetime.UTC)


def _dated(key: str) -> Callable[[Resource], Moment | None]:
    return lambda resource: _moment(_value(resource, key))


def _robot(resource: Resource) -> Moment | None:
    """Return the end of a robot account. Harbor counts its days from its creation, also after they are changed.

    The plugin does not read Harbor's own date. The engine's time of the creation is seconds away from it.
    """
    days, created = _value(resource, "duration"), _moment(resource.get("created"))
    if created is None or isinstance(days, bool) or not isinstance(days, int | float) or days < 0:
        return None
    return created + datetime.timedelta(days=days)


def _endless(resource: Resource) -> Moment | None:  # noqa: ARG001 - one signature for all kinds
    return None


#: By type token: the moment from which the system refuses the credential.
#:
#: GitLab refuses an access token from the first moment of its date on, and SonarQube likewise, in its server's time
#: zone (`GenerateAction` of SonarQube). A runner's token and a client's secret do not end.
ENDS: Final[Mapping[str, Callable[[Resource], Moment | None]]] = {
    "gitlab:index/groupAccessToken:GroupAccessToken": _dated("expiresAt"),
    "gitlab:index/groupDeployToken:GroupDeployToken": _dated("expiresAt"),
    "gitlab:index/projectAccessToken:ProjectAccessToken": _dated("expiresAt"),
    "gitlab:index/projectDeployToken:ProjectDeployToken": _dated("expiresAt"),
    "gitlab:index/userRunner:UserRunner": _endless,
    "harbor:index/robotAccount:RobotAccount": _robot,
    "keycloak:openid/client:Client": _endless,
    "pulumi-python:dynamic/sonarqube:ProjectAnalysisToken": _dated("expires"),
}
#: Types whose credential the provider renews while it is applied.
RENEWED: Final = frozenset(
    {"gitlab:index/groupAccessToken:GroupAccessToken", "gitlab:index/projectAccessToken:ProjectAccessToken"}
)


def is_credential(resource: Resource) -> bool:
    """Return whether this resource of a checkpoint is a credential whose value the state stores."""
    if resource["type"] == "keycloak:openid/client:Client":
        return _value(resource, "accessType") == "CONFIDENTIAL"
    return resource["type"] in ENDS


def end_of(resource: Resource) -> Moment | None:
    """Return the moment from which a credential is refused; None if it does not end, or if that is not known."""
    return ENDS[resource["type"]](resource)
