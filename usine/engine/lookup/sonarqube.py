"""Finds SonarQube's objects, as our own dynamic provider does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import TypeVar

from components.sonarqube.dynamic import provider
from usine.clients.sonarqube import SonarQubeClient, translated
from usine.engine.lookup.base import Find, Inputs, Remove

_Answer = TypeVar("_Answer")
_TYPES = tuple(f"{provider.TYPE_PREFIX}{kind}" for kind in provider.KINDS)


class SonarQubeFinder:
    """Every kind of object of the dynamic provider."""

    def __init__(self, connect: Callable[[], SonarQubeClient]) -> None:
        """Keep what makes the client; it reads the endpoint's CA file, and may fail."""
        self._connect = connect

    def finders(self) -> Mapping[str, Find]:
        """See `SystemFinder`."""
        return {type_: partial(self._ask, provider.find, type_) for type_ in _TYPES}

    def removers(self) -> Mapping[str, Remove]:
        """See `SystemFinder`."""
        return {type_: partial(self._ask, provider.remove_orphan, type_) for type_ in _TYPES}

    @cached_property
    def _client(self) -> SonarQubeClient:
        return self._connect()

    def _ask(self, question: Callable[[SonarQubeClient, str, Inputs], _Answer], type_: str, inputs: Inputs) -> _Answer:
        with translated():
            return question(self._client, type_, inputs)
