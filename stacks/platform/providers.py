"""The explicit providers: one per system, one Kubernetes provider per cluster.

No credential is passed here, so none reaches the state: each plugin reads its own from the environment (`VAULT_TOKEN`,
`KEYCLOAK_USER` and `KEYCLOAK_PASSWORD` or `KEYCLOAK_CLIENT_SECRET`, `KUBECONFIG`, `GITLAB_TOKEN`, `HARBOR_USERNAME` and
`HARBOR_PASSWORD`, `SONAR_TOKEN`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pulumi
import pulumi_gitlab as gitlab
import pulumi_keycloak as keycloak
import pulumi_kubernetes as kubernetes
import pulumi_vault as vault
import pulumiverse_harbor as harbor

from components.base import Providers
from components.sonarqube_dynamic.resources import sonarqube_provider
from usine.spec.model import Project
from usine.spec.settings import FoundationMode, Settings, System


def clusters_in_use(settings: Settings, projects: Iterable[Project]) -> tuple[str, ...]:
    """Return the clusters this stack talks to, sorted: each costs a plugin process."""
    if not settings.on(System.KUBERNETES):
        return ()
    if settings.foundation is not FoundationMode.SKIP:
        return tuple(sorted(settings.clusters))
    used = {environment.cluster for project in projects for environment in project.environments}
    if settings.on(System.ARGOCD):
        used.add(settings.argocd.cluster)
    return tuple(sorted(used))


def make_providers(settings: Settings, projects: Iterable[Project], authorities: Mapping[str, str]) -> Providers:
    """Create the providers of the systems that are on."""
    return Providers(
        keycloak=_keycloak(settings, authorities) if settings.on(System.KEYCLOAK) else None,
        vault=_vault(settings) if settings.on(System.VAULT) else None,
        gitlab=_gitlab(settings) if settings.on(System.GITLAB) else None,
        harbor=_harbor(settings) if settings.on(System.HARBOR) else None,
        sonarqube=_sonarqube(settings, authorities) if settings.on(System.SONARQUBE) else None,
        kubernetes={name: _kubernetes(settings, name) for name in clusters_in_use(settings, projects)},
    )


def _keycloak(settings: Settings, authorities: Mapping[str, str]) -> keycloak.Provider:
    endpoint = settings.endpoints[System.KEYCLOAK]
    return keycloak.Provider(
        "keycloak",
        url=endpoint.url,
        # Seconds. The default of 5 is shorter than the creation of a realm on a busy server.
        client_timeout=120,
        root_ca_certificate=authorities[str(endpoint.ca)] if endpoint.ca else None,
    )


def _vault(settings: Settings) -> vault.Provider:
    # A private authority is trusted by VAULT_CACERT: the provider takes a path, which means nothing elsewhere.
    return vault.Provider(
        "vault",
        address=settings.endpoints[System.VAULT].url,
        # By default the provider works with a child token of 20 minutes: a large fleet's run outlives it.
        max_lease_ttl_seconds=2 * 3600,
    )


def _gitlab(settings: Settings) -> gitlab.Provider:
    # A private authority is trusted by SSL_CERT_FILE, for the reason given above.
    return gitlab.Provider("gitlab", base_url=f"{settings.endpoints[System.GITLAB].url}/api/v4/", retries=10)


def _harbor(settings: Settings) -> harbor.Provider:
    # The SDK's default is to trust any certificate.
    return harbor.Provider("harbor", url=settings.endpoints[System.HARBOR].url, insecure=False)


def _sonarqube(settings: Settings, authorities: Mapping[str, str]) -> pulumi.ProviderResource:
    endpoint = settings.endpoints[System.SONARQUBE]
    return sonarqube_provider("sonarqube", endpoint.url, authorities[str(endpoint.ca)] if endpoint.ca else None)


def _kubernetes(settings: Settings, cluster: str) -> kubernetes.Provider:
    return kubernetes.Provider(
        f"kubernetes-{cluster}",
        context=settings.clusters[cluster].context,
        # A moved API server or kubeconfig is still the same cluster: nothing is replaced.
        cluster_identifier=cluster,
        enable_server_side_apply=True,
        # A field edited by hand is ours again at the next run, instead of an apply conflict that fails it.
        enable_patch_force=True,
        # A renewed credential is put into its secret, instead of the secret being gone for a moment.
        enable_secret_mutable=True,
        # An object made by a run that was killed is taken over by the next.
        upsert_existing_objects=True,
        suppress_deprecation_warnings=True,
        # The default of 5 requests a second makes a refresh of 300 objects take ten seconds.
        kube_client_settings=kubernetes.KubeClientSettingsArgs(qps=500, burst=1000, timeout=60),
    )
