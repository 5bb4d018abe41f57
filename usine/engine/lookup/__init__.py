"""Where an object that a killed run may have made is found again: its id as the provider plugin writes it.

Only types whose create refuses an object that is already there, or would make a second one, are listed. The others need
nothing: Vault policies and roles are written by PUT, Keycloak's group memberships are added to what is there, and the
Kubernetes providers take over what exists (`upsert_existing_objects`). The id formats are those of the providers'
documentation ("Import").

What carries a secret that is shown once, at its creation, is of no use to anyone after a kill: it is taken away, and
the next run makes another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from model.settings import Endpoint
from model.settings import System as SystemName
from usine.engine.lookup.base import Inputs, System
from usine.engine.lookup.gitlab import GitLab
from usine.engine.lookup.harbor import Harbor
from usine.engine.lookup.keycloak import Keycloak
from usine.engine.lookup.sonarqube import SonarQube
from usine.engine.lookup.vault import Vault

__all__ = ["Finder", "Inputs"]

_SYSTEMS: Mapping[SystemName, Callable[[Endpoint, Mapping[str, str]], System]] = {
    SystemName.VAULT: Vault,
    SystemName.KEYCLOAK: Keycloak,
    SystemName.GITLAB: GitLab,
    SystemName.HARBOR: Harbor,
    SystemName.SONARQUBE: SonarQube,
}


class Finder:
    """Looks objects up with the credentials that the provider plugins use, from the same environment variables.

    Both methods raise `requests.RequestException` when the system does not answer.
    """

    def __init__(self, endpoints: Mapping[SystemName, Endpoint], environment: Mapping[str, str] | None = None) -> None:
        """Keep where the systems are (`ca`: a path that can be opened as it is); nothing is asked yet."""
        variables = os.environ if environment is None else environment
        systems = [make(endpoints[name], variables) for name, make in _SYSTEMS.items() if name in endpoints]
        self._finders = {type_: find for system in systems for type_, find in system.finders().items()}
        self._removers = {type_: remove for system in systems for type_, remove in system.removers().items()}

    def find(self, type_: str, inputs: Inputs) -> str | None:
        """Return the id of the live object these inputs describe, or None: not there, or its create is idempotent."""
        finder = self._finders.get(type_)
        return finder(inputs) if finder else None

    def remove_orphan(self, type_: str, inputs: Inputs) -> bool:
        """Take away what these inputs made, if it is of a kind whose secret nobody can know any more; True if done."""
        remover = self._removers.get(type_)
        return remover(inputs) if remover else False
