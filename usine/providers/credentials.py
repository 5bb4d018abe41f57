"""Which system's plugin needs which credential of the environment, so that every other plugin starts without it.

The engine starts each plugin with its own whole environment: the token of GitLab would be in the process of Harbor's
plugin. A provider resource can rename variables for its plugin (`env_var_mappings`; read in the engine's
`resource/deploy/providers/registry.go`, 3.259: the new value replaces the old one in the new process). So `usine` gives
the engine one more, empty variable for each credential, and every provider takes the empty one in place of what is
not its own. Under plain `pulumi`, which has no such variables, a plugin keeps what the shell has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from model.settings import System

_NO_PLUGIN: Final[frozenset[System]] = frozenset()
_KUBERNETES: Final = frozenset({System.KUBERNETES})

#: By variable: the systems whose plugin reads it. A kubeconfig's `exec` may ask a cloud for a cluster's token.
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
    # Those of the state, of the job and of its comment: the engine's and the command's own.
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
    """Return what the engine's environment has for the plugins to take: one empty variable for each credential."""
    return {_empty(variable): "" for variable in CREDENTIALS}


def hidden_from(system: System) -> dict[str, str]:
    """Return the `env_var_mappings` of a system's provider: an empty variable for each credential it does not need."""
    return {_empty(variable): variable for variable, readers in CREDENTIALS.items() if system not in readers}
