"""SonarQube's API: the client of our dynamic provider, which must not depend on this package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from components.sonarqube.dynamic.api import Client as SonarQubeClient
from components.sonarqube.dynamic.api import SonarError
from model.settings import Endpoint
from usine.clients.errors import ClientError

__all__ = ["SonarQubeClient", "sonarqube_client", "translated"]


def sonarqube_client(endpoint: Endpoint, environment: Mapping[str, str]) -> SonarQubeClient:
    """Return a client with SONAR_TOKEN and the endpoint's authority. Raises ClientError for an unusable authority."""
    with translated():
        authority = endpoint.ca.read_text(encoding="ascii") if endpoint.ca else None
        return SonarQubeClient(endpoint.url, authority, environment=environment)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the errors of SonarQube's client into ClientError."""
    try:
        yield
    except (SonarError, OSError, UnicodeDecodeError) as error:
        raise ClientError(str(error)) from None
