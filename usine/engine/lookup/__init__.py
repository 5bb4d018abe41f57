"""Finds an object that an interrupted run may have created, and returns its id as the provider plugin writes it.

Finders exist for the types whose create refuses an object that is already there, or makes a second one. The other types
are in `tests/guard/repeatable.py`, each with its reason. The formats of ids are those of the providers' documentation
("Import").

An object whose secret is shown once, at its creation, is of no use after an interruption: a remover deletes it, and the
next run creates another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property

from model.settings import Endpoint, System
from usine.clients import Connections
from usine.engine.lookup.base import Find, Inputs, Remove, SystemFinder
from usine.engine.lookup.gitlab import GitLabFinder
from usine.engine.lookup.harbor import HarborFinder
from usine.engine.lookup.keycloak import KeycloakFinder
from usine.engine.lookup.vault import VaultFinder

__all__ = ["Finder", "Inputs"]


def _sonarqube(connections: Connections) -> SystemFinder:
    from usine.engine.lookup.sonarqube import SonarQubeFinder  # noqa: PLC0415 - slow to import: Pulumi's SDK

    return SonarQubeFinder(connections.sonarqube)


_FINDERS: Mapping[System, Callable[[Connections], SystemFinder]] = {
    System.VAULT: lambda connections: VaultFinder(connections.vault()),
    System.KEYCLOAK: lambda connections: KeycloakFinder(connections.keycloak()),
    System.GITLAB: lambda connections: GitLabFinder(connections.gitlab()),
    System.HARBOR: lambda connections: HarborFinder(connections.harbor()),
    System.SONARQUBE: _sonarqube,
}


class Finder:
    """Finds objects in all systems. Its methods raise `ClientError` when a system gives no usable answer."""

    def __init__(self, endpoints: Mapping[System, Endpoint], environment: Mapping[str, str] | None = None) -> None:
        """Keep where the systems are (see `Connections`), by default with this process's environment."""
        self._endpoints = endpoints
        self._connections = Connections(endpoints, os.environ if environment is None else environment)

    @cached_property
    def _systems(self) -> tuple[SystemFinder, ...]:
        """The finders of the systems, made when one is needed: most runs follow no interrupted one."""
        return tuple(make(self._connections) for system, make in _FINDERS.items() if system in self._endpoints)

    @cached_property
    def _finders(self) -> Mapping[str, Find]:
        return {type_: find for system in self._systems for type_, find in system.finders().items()}

    @cached_property
    def _removers(self) -> Mapping[str, Remove]:
        return {type_: remove for system in self._systems for type_, remove in system.removers().items()}

    @property
    def types(self) -> frozenset[str]:
        """The resource types that have a finder or a remover."""
        return frozenset({*self._finders, *self._removers})

    def find(self, type_: str, inputs: Inputs) -> str | None:
        """Return the id of the object with these inputs; None if there is none, or if its type needs no finder."""
        finder = self._finders.get(type_)
        return finder(inputs) if finder else None

    def remove_orphan(self, type_: str, inputs: Inputs) -> bool:
        """Delete the object with these inputs if its secret is lost. Return whether one was deleted."""
        remover = self._removers.get(type_)
        return remover(inputs) if remover else False
