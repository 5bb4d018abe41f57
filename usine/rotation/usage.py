"""When a stored credential was last used, as far as its system knows it, and how long to wait where it does not."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from components.sonarqube.dynamic.accounts import tokens_of
from usine.clients import ClientError, Connections
from usine.clients.sonarqube import translated

ACCOUNT: Final = "pulumi-python:dynamic/sonarqube:TechnicalAccount"
RUNNER: Final = "gitlab:index/userRunner:UserRunner"
_READER: Final = "gitlab:index/groupDeployToken:GroupDeployToken"
#: How long a credential must be unused, or, where its system does not record use, how long its successor must have been
#: handed out. A job reads its credential from Vault when it starts, and no job lasts a day.
GRACE: Final = datetime.timedelta(days=1)
#: Readers of packages are outside the platform: a person copies their token.
GRACE_OF_READERS: Final = datetime.timedelta(days=14)


def grace_of(type_: str) -> datetime.timedelta:
    """Return how long a credential of this type stays after its successor is handed out, or after its last use."""
    return GRACE_OF_READERS if type_ == _READER else GRACE


@dataclass(frozen=True, slots=True)
class Usage:
    """What a system knows of a credential: when it was `last` used (None: never, or not recorded).

    `recorded`: the system records it. `unknown` is the reason why it could not be asked; then `last` is not known.
    """

    last: datetime.datetime | None = None
    recorded: bool = False
    unknown: str = ""


class UsageReader(Protocol):
    """Returns what the system knows of one credential."""

    def __call__(self, resource: Mapping[str, Any]) -> Usage:
        """Return the usage of a resource of the checkpoint."""


def usage_reader(connections: Connections) -> UsageReader:
    """Return a function that asks GitLab for runners and SonarQube for accounts. Others record no use.

    GitLab records a runner's last contact, and SonarQube the last log-in of each token, both at most once an hour.
    GitLab records no use of deploy tokens, and Harbor none of robot accounts.
    """

    def read(resource: Mapping[str, Any]) -> Usage:
        try:
            if resource["type"] == RUNNER:
                found = connections.gitlab().get(f"runners/{resource['id']}") or {}
                return Usage(_latest([found.get("contacted_at")]), recorded=True)
            if resource["type"] == ACCOUNT:
                login = str((resource.get("outputs") or {}).get("login"))
                with translated():
                    tokens = tokens_of(connections.sonarqube(), login)
                # Also a token that somebody created with the one that was handed out.
                return Usage(_latest(token.get("lastConnectionDate") for token in tokens), recorded=True)
        except ClientError as error:
            return Usage(recorded=True, unknown=error.reason or str(error))
        return Usage()

    return read


def _latest(times: Iterable[object]) -> datetime.datetime | None:
    found = [datetime.datetime.fromisoformat(time) for time in times if isinstance(time, str) and time]
    return max(found, default=None)
