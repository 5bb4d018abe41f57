"""The explicit providers: one per system, one Kubernetes provider per cluster.

No credential is passed here, so the state has none. Each plugin reads its own credential from the environment:
`VAULT_TOKEN`, `KEYCLOAK_USER` and `KEYCLOAK_PASSWORD` or `KEYCLOAK_CLIENT_SECRET`, `KUBECONFIG`, `GITLAB_TOKEN`,
`HARBOR_USERNAME` and `HARBOR_PASSWORD`, `SONAR_TOKEN`. Under `usine` a plugin starts without those of other systems.
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
from components.gitlab.operations import has_scheduled_work
from components.sonarqube.dynamic.resources import sonarqube_provider
from model.lifecycle import clusters_in_use
from model.naming import OPERATIONS_ACCOUNT
from model.settings import Settings, System
from model.tenant import Tenant
from pulumi_facts.credentials import hidden_from

#: The provider that acts as the account of scheduled jobs.
_OPERATIONS = "gitlab-operations"


def provider_names(settings: Settings, tenants: Iterable[Tenant]) -> frozenset[str]:
    """Return the names of the providers that `make_providers` creates, without creating them."""
    tenants = tuple(tenants)
    systems = (System.KEYCLOAK, System.VAULT, System.GITLAB, System.HARBOR, System.SONARQUBE)
    names = {system.value for system in systems if settings.on(system)}
    if settings.on(System.GITLAB) and any(map(has_scheduled_work, tenants)):
        names.add(_OPERATIONS)
    return frozenset(names | {f"kubernetes-{cluster}" for cluster in clusters_in_use(settings, tenants)})


def make_providers(
    settings: Settings,
    tenants: Iterable[Tenant],
    authorities: Mapping[str, str],
    prefix: str = "",
    opts: pulumi.ResourceOptions | None = None,
    rendered: str = "out/rendered",
) -> Providers:
    """Create the providers of the systems that are on.

    Their names begin with `prefix`, for stacks with several sets of providers. `rendered` is the folder where the
    plugin of a cluster that pulls writes its manifests; nothing reads them (docs/zones.md). It is relative, because an
    absolute path differs between machines. Plugins run in the folder of the program, `main` of `Pulumi.yaml`.
    """
    p = prefix
    tenants = tuple(tenants)
    names = provider_names(settings, tenants)
    return Providers(
        keycloak=_keycloak(f"{p}keycloak", settings, authorities, opts) if "keycloak" in names else None,
        vault=_vault(f"{p}vault", settings, opts) if "vault" in names else None,
        gitlab=_gitlab(f"{p}gitlab", settings, opts) if "gitlab" in names else None,
        harbor=_harbor(f"{p}harbor", settings, opts) if "harbor" in names else None,
        sonarqube=_sonarqube(f"{p}sonarqube", settings, authorities, opts) if "sonarqube" in names else None,
        kubernetes={
            cluster: _kubernetes(f"{p}kubernetes-{cluster}", settings, cluster, rendered, opts)
            for cluster in clusters_in_use(settings, tenants)
        },
        operations=_gitlab(f"{p}{_OPERATIONS}", settings, opts, OPERATIONS_ACCOUNT) if _OPERATIONS in names else None,
    )


_Options = pulumi.ResourceOptions | None


def _own(system: System | None, opts: _Options) -> pulumi.ResourceOptions:
    """Return the options of a system's provider. Its plugin starts without the credentials of other systems."""
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(env_var_mappings=hidden_from(system)))


def _keycloak(name: str, settings: Settings, authorities: Mapping[str, str], opts: _Options) -> keycloak.Provider:
    endpoint = settings.endpoints[System.KEYCLOAK]
    return keycloak.Provider(
        name,
        url=endpoint.url,
        # Seconds. The default of 5 is shorter than the creation of a realm on a busy server.
        client_timeout=120,
        root_ca_certificate=endpoint.authority(authorities),
        opts=_own(System.KEYCLOAK, opts),
    )


def _vault(name: str, settings: Settings, opts: _Options) -> vault.Provider:
    # VAULT_CACERT names a private authority: the provider takes a path, which is wrong on other machines.
    return vault.Provider(
        name,
        address=settings.endpoints[System.VAULT].url,
        # By default, the provider creates a child token of 20 minutes, and a run for many tenants takes longer.
        max_lease_ttl_seconds=2 * 3600,
        opts=_own(System.VAULT, opts),
    )


def _gitlab(name: str, settings: Settings, opts: _Options, account: str | None = None) -> gitlab.Provider:
    # SSL_CERT_FILE names a private authority, for the same reason as VAULT_CACERT.
    return gitlab.Provider(
        name,
        base_url=f"{settings.endpoints[System.GITLAB].url}/api/v4/",
        retries=10,
        # GitLab makes the caller the owner of a schedule. The account has no token, so the administrator's token acts
        # for it (scope `sudo`, see https://docs.gitlab.com/api/rest/authentication/#sudo).
        headers={"Sudo": account} if account else None,
        # The account does not exist before the first run.
        early_auth_check=False if account else None,
        opts=_own(System.GITLAB, opts),
    )


def _harbor(name: str, settings: Settings, opts: _Options) -> harbor.Provider:
    # By default, the SDK trusts any certificate.
    return harbor.Provider(
        name, url=settings.endpoints[System.HARBOR].url, insecure=False, opts=_own(System.HARBOR, opts)
    )


def _sonarqube(
    name: str, settings: Settings, authorities: Mapping[str, str], opts: _Options
) -> pulumi.ProviderResource:
    endpoint = settings.endpoints[System.SONARQUBE]
    return sonarqube_provider(name, endpoint.url, endpoint.authority(authorities), _own(System.SONARQUBE, opts))


def _kubernetes(name: str, settings: Settings, cluster: str, rendered: str, opts: _Options) -> kubernetes.Provider:
    if settings.clusters[cluster].pull is not None:
        return _rendering(name, cluster, rendered, opts)
    return kubernetes.Provider(
        name,
        context=settings.clusters[cluster].context,
        # Identifies the cluster if its API server or kubeconfig moves, so that the engine replaces nothing.
        cluster_identifier=cluster,
        enable_server_side_apply=True,
        # The next run takes over fields that were edited manually. Otherwise it fails with an apply conflict.
        enable_patch_force=True,
        # A renewed credential updates its Secret. Otherwise the Secret is replaced, and missing for a moment.
        enable_secret_mutable=True,
        # The next run adopts the objects of an interrupted one.
        upsert_existing_objects=True,
        suppress_deprecation_warnings=True,
        # With the default of 5 requests per second, a refresh of 300 objects takes ten seconds.
        kube_client_settings=kubernetes.KubeClientSettingsArgs(qps=500, burst=1000, timeout=60),
        opts=_own(System.KUBERNETES, opts),
    )


def _rendering(name: str, cluster: str, rendered: str, opts: _Options) -> kubernetes.Provider:
    """Return the provider of a cluster that pulls: it connects to no cluster, and keeps the objects in the state.

    It starts without KUBECONFIG: with one, the official plugin would check the objects against the API server of its
    current context, which is another cluster.
    """
    return kubernetes.Provider(
        name,
        kubeconfig="",
        render_yaml_to_directory=f"{rendered}/{cluster}",
        # Without it, a drift scan fails: the plugin reads no object of a cluster that it cannot reach, also if it only
        # writes manifests (`Read` of pulumi-kubernetes 4.32).
        skip_update_unreachable=True,
        cluster_identifier=cluster,
        enable_server_side_apply=True,
        suppress_deprecation_warnings=True,
        opts=_own(None, opts),
    )
