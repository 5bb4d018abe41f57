"""SonarQube's objects, as our own dynamic provider finds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import TypeVar

import requests

from components.sonarqube.dynamic import provider
from components.sonarqube.dynamic.api import Client, SonarError
from model.settings import Endpoint
from usine.engine.lookup.base import Find, Inputs, Remove

_Answer = TypeVar("_Answer")


class SonarQube:
    """Every kind of object of the dynamic provider."""

    def __init__(self, endpoint: Endpoint, environment: Mapping[str, str]) -> None:
        """Use SONAR_TOKEN, and the endpoint's authority."""
        self._endpoint = endpoint
        self._environment = environment

    def finders(self) -> Mapping[str, Find]:
        """See `System`."""
        return {type_: partial(self._ask, provider.find, type_) for type_ in self._types}

    def removers(self) -> Mapping[str, Remove]:
        """See `System`."""
        return {type_: partial(self._ask, provider.remove_orphan, type_) for type_ in self._types}

    @property
    def _types(self) -> tuple[str, ...]:
        return tuple(f"{provider.TYPE_PREFIX}{kind}" for kind in provider.KINDS)

    @cached_property
    def _client(self) -> Client:
        authority = self._endpoint.ca.read_text(encoding="ascii") if self._endpoint.ca else None
        return Client(self._endpoint.url, authority, environment=self._environment)

    def _ask(self, question: Callable[[Client, str, Inputs], _Answer], type_: str, inputs: Inputs) -> _Answer:
        try:
            return question(self._client, type_, inputs)
        except (SonarError, OSError, UnicodeDecodeError) as error:
            raise requests.RequestException(str(error)) from None
