"""The credentials that each system's plugin needs from the environment. Other plugins start without them.

The engine starts each plugin with its whole environment, so that the Harbor plugin would get the GitLab token. A
provider resource can rename variables for its plugin (`env_var_mappings`; in the engine's
`resource/deploy/providers/registry.go`, 3.259, the new value replaces the old one). So `usine` adds an empty variable
for each credential to the engine's environment, and every provider maps it to each credential that it does not need.
Plain `pulumi` has no such variables: there, a plugin gets the environment of the shell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from model.settings import System

_NO_PLUGIN: Final[frozenset[System]] = frozenset()
_KUBERNETES: Final = frozenset({System.KUBERNETES})

#: By variable: the systems whose plugin reads it. The `exec` of a kubeconfig may use the credentials of a cloud.
CREDENTIALS: Final[Mapping[str, frozenset[System]]] = {
    "VAULT_TOKEN": frozenset({System.VAULT}),
    **dict.fromkeys(("KEYCLOAK_USER", "KEYCLOAK_PASSWORD", "KEYCLOAK_CLIENT_SECRET"), frozenset({System.KEYCLOAK})),
    "GITLAB_TOKEN": frozenset({System.GITLAB}),
    "HARBOR_PASSWORD": frozenset({System.HARBOR}),
    "SONAR_TOKEN": frozenset({System.SONARQUBE}),
    **dict.fromkeys(
        (
            "KUBECONFIG",
            "KUBE_ID_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AZURE_CLIENT_SECRET",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "GOOGLE_CREDENTIALS",
        ),
        _KUBERNETES,
    ),
    # Credentials for the state, the job and its comment: only the engine and the command use them.
    **dict.fromkeys(
        (
            "AZURE_STORAGE_KEY",
            "AZURE_STORAGE_SAS_TOKEN",
            "CI_JOB_TOKEN",
            "PULUMI_ACCESS_TOKEN",
            "PULUMI_CONFIG_PASSPHRASE",
            "PULUMI_CONFIG_PASSPHRASE_FILE",
            "USINE_GITLAB_TOKEN",
            "VAULT_ID_TOKEN",
        ),
        _NO_PLUGIN,
    ),
}


def _empty(variable: str) -> str:
    return f"USINE_EMPTY_{variable}"


def empty_variables() -> dict[str, str]:
    """Return the empty variables for the engine's environment, one for each credential."""
    return {_empty(variable): "" for variable in CREDENTIALS}


def hidden_from(system: System | None) -> dict[str, str]:
    """Return the `env_var_mappings` of a system's provider: an empty variable for each credential of others.

    None: a provider that connects to no system, and needs no credential.
    """
    return {_empty(variable): variable for variable, readers in CREDENTIALS.items() if system not in readers}
