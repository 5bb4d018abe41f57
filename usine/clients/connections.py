"""The one place where clients get their addresses and credentials: from the settings and from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from model.clusters import Cluster
from model.settings import Endpoint, System
from pulumi_facts.credentials import CREDENTIALS
from usine.clients.gitlab import GitLabClient
from usine.clients.harbor import HarborClient
from usine.clients.keycloak import KeycloakClient, token_form
from usine.clients.kubernetes import KubernetesClient
from usine.clients.oci import OciClient
from usine.clients.sonarqube import SonarQubeClient, sonarqube_client
from usine.clients.vault import VaultClient

#: The provider plugins of these systems take their certificate authority from a variable, the others from the settings.
_AUTHORITIES: Final[Mapping[System, str]] = {
    System.GITLAB: "SSL_CERT_FILE",
    System.HARBOR: "SSL_CERT_FILE",
    System.VAULT: "VAULT_CACERT",
}


class Connections:
    """Makes clients that reach the systems as the provider plugins do: same addresses, variables and authorities.

    Each client sees the credentials of its own system only (`pulumi_facts.credentials`).
    """

    def __init__(self, endpoints: Mapping[System, Endpoint], environment: Mapping[str, str]) -> None:
        """Keep where the systems are; nothing is sent. A CA file of an endpoint is a path that can be opened."""
        self._endpoints = endpoints
        self._environment = environment

    def gitlab(self) -> GitLabClient:
        """Return a client of GitLab, with GITLAB_TOKEN."""
        token = self._variables(System.GITLAB).get("GITLAB_TOKEN", "")
        return GitLabClient(self._url(System.GITLAB), token, verify=self._authority(System.GITLAB))

    def vault(self) -> VaultClient:
        """Return a client of Vault, with VAULT_TOKEN and VAULT_NAMESPACE."""
        variables = self._variables(System.VAULT)
        return VaultClient(
            self._url(System.VAULT),
            variables.get("VAULT_TOKEN", ""),
            namespace=variables.get("VAULT_NAMESPACE") or None,
            verify=self._authority(System.VAULT),
        )

    def harbor(self) -> HarborClient:
        """Return a client of Harbor, with HARBOR_USERNAME and HARBOR_PASSWORD."""
        variables = self._variables(System.HARBOR)
        user, password = variables.get("HARBOR_USERNAME", ""), variables.get("HARBOR_PASSWORD", "")
        return HarborClient(self._url(System.HARBOR), user, password, verify=self._authority(System.HARBOR))

    def images(self) -> OciClient:
        """Return a client of Harbor's registry protocol, with HARBOR_USERNAME and HARBOR_PASSWORD."""
        variables = self._variables(System.HARBOR)
        user, password = variables.get("HARBOR_USERNAME", ""), variables.get("HARBOR_PASSWORD", "")
        credential = (user, password) if user else None
        return OciClient("Harbor", self._url(System.HARBOR), credential, verify=self._authority(System.HARBOR))

    def keycloak(self) -> KeycloakClient:
        """Return a client of Keycloak, with the variables that `token_form` names, and KEYCLOAK_REALM."""
        variables = self._variables(System.KEYCLOAK)
        realm, form = variables.get("KEYCLOAK_REALM", "master"), token_form(variables)
        return KeycloakClient(self._url(System.KEYCLOAK), realm, form, verify=self._authority(System.KEYCLOAK))

    def sonarqube(self) -> SonarQubeClient:
        """Return a client of SonarQube, with SONAR_TOKEN. Raises ClientError for an unusable authority."""
        return sonarqube_client(self._endpoints[System.SONARQUBE], self._variables(System.SONARQUBE))

    def kubernetes(self, cluster: Cluster) -> KubernetesClient:
        """Return a client of a cluster, with KUBECONFIG. Raises ClientError if that does not have its context."""
        return KubernetesClient(f"cluster {cluster.name}", cluster.context, self._variables(System.KUBERNETES))

    def _url(self, system: System) -> str:
        return self._endpoints[system].url

    def _authority(self, system: System) -> str | bool:
        if system in _AUTHORITIES:
            return self._environment.get(_AUTHORITIES[system], True)
        authority = self._endpoints[system].ca
        return str(authority) if authority else True

    def _variables(self, system: System) -> Mapping[str, str]:
        """Return the environment without the credentials that are not this system's."""
        return {
            name: value
            for name, value in self._environment.items()
            if name not in CREDENTIALS or system in CREDENTIALS[name]
        }


def below(root: Path, endpoints: Mapping[System, Endpoint]) -> Mapping[System, Endpoint]:
    """Return the endpoints with their CA files as paths below `root`, where the settings' relative paths start."""
    return {system: replace(endpoint, ca=endpoint.ca and root / endpoint.ca) for system, endpoint in endpoints.items()}
