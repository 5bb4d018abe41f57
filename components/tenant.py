"""One tenant, composed of its components in each system that is on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.argocd.sources import DeployedChart, DeployedRepository
from components.argocd.tenant import ArgoCDPlace, ArgoCDTenant, ArgoCDTenantArgs
from components.base import COMPOSITION, Component, FoundationRefs, OidcIssuer, Providers
from components.gitlab.operations import mirror_token_path
from components.gitlab.tenant import GitLabTenant, GitLabTenantArgs
from components.gitlab.variables import pipeline_variables
from components.harbor import HarborTenant, HarborTenantArgs
from components.keycloak import KeycloakTenant, KeycloakTenantArgs
from components.kubernetes.backup_rules import backups_of
from components.kubernetes.delivery import VaultAddress
from components.kubernetes.namespace import RegistryLogin, SigningKeys
from components.kubernetes.tenant import KubernetesTenant, KubernetesTenantArgs
from components.observability.grafana import GrafanaPlace
from components.observability.tenant import DeploymentsPlace, ObservabilityTenant, ObservabilityTenantArgs
from components.sonarqube.tenant import SonarQubeTenant, SonarQubeTenantArgs
from components.vault.pipelines import PipelineIdentity
from components.vault.tenant import VaultTenant, VaultTenantArgs
from model.clusters import Cluster
from model.lifecycle import dashboards_url, deploys
from model.naming import CI_FOLDER, PACKAGES_FOLDER, PULL_SECRET, RobotPurpose, chart_url, names_of, repository_url
from model.repository import OWN_REGISTRY
from model.settings import Edition, Settings, System
from model.tenant import Environment, Tenant
from model.zone_naming import pulled_secret


@dataclass(frozen=True, slots=True)
class TenantProjectArgs:
    """One tenant, the platform that it is on, and what it needs from the foundation.

    `authorities` is the PEM text of each CA file of the settings, by its path.
    """

    tenant: Tenant
    settings: Settings
    providers: Providers
    refs: FoundationRefs
    authorities: Mapping[str, str]


class TenantProject(Component):
    """Everything that a tenant file of `projects.d/` asks for. Its logical name is the tenant's slug.

    `summary` is what the stack exports for the tenant: addresses and names, no secrets.
    """

    system = COMPOSITION
    summary: Mapping[str, object]

    def __init__(self, name: str, args: TenantProjectArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register one component per system that is on."""
        # The state is an input, so that policies and guards see from the resources what may be deleted.
        super().__init__(name, opts, {"state": args.tenant.state.value})
        tenant, settings, providers, refs = args.tenant, args.settings, args.providers, args.refs
        child = pulumi.ResourceOptions(parent=self)
        summary: dict[str, object] = {"name": tenant.name, "state": tenant.state.value, "owner": tenant.owner}
        if providers.keycloak is not None:
            KeycloakTenant(
                f"{name}/keycloak",
                KeycloakTenantArgs(
                    tenant, providers.keycloak, refs.realm, refs.accounts, dashboards_url(settings, tenant)
                ),
                child,
            )
            summary["group"] = names_of(tenant).group_path
        forge: GitLabTenant | None = None
        registry: HarborTenant | None = None
        if providers.gitlab is not None:
            if refs.gitlab is None:
                raise ValueError("GitLab is on, but the foundation's references to it are missing")
            forge = GitLabTenant(
                f"{name}/gitlab",
                GitLabTenantArgs(
                    tenant=tenant,
                    provider=providers.gitlab,
                    settings=settings.gitlab,
                    refs=refs.gitlab,
                    variables=pipeline_variables(settings),
                    credentials=settings.generations_of(tenant.slug),
                    argocds=settings.argocd.readers(_clusters(settings, tenant)),
                    analyses=settings.on(System.SONARQUBE),
                    owner=providers.operations,
                    first=tenant.slug in settings.catalogue.first,
                ),
                child,
            )
            group = names_of(tenant).forge_group(settings.gitlab.root)
            summary["repositories"] = f"{settings.endpoints[System.GITLAB].url}/{group}"
        if providers.harbor is not None:
            registry = HarborTenant(
                f"{name}/harbor",
                HarborTenantArgs(
                    tenant=tenant,
                    provider=providers.harbor,
                    robot_days=settings.harbor.robot_days,
                    credentials=settings.generations_of(tenant.slug),
                    login=refs.registry_login,
                ),
                child,
            )
            summary["registry"] = f"{settings.registry_host}/{names_of(tenant).registry_project}"
        quality: SonarQubeTenant | None = None
        if providers.sonarqube is not None:
            quality = SonarQubeTenant(
                f"{name}/sonarqube",
                SonarQubeTenantArgs(
                    tenant=tenant,
                    provider=providers.sonarqube,
                    credentials=settings.generations_of(tenant.slug),
                    exact_members=settings.on(System.KEYCLOAK),
                    webhook=settings.sonarqube.webhook,
                    gates=refs.gates,
                ),
                child,
            )
        signing: SigningKeys | None = None
        deployed = _deployed(settings, tenant, forge, registry)
        argocds = _argocds(settings, tenant, providers)
        pulling = {name: p for name, p in providers.kubernetes.items() if settings.clusters[name].pull is not None}
        if providers.vault is not None:
            vault_url = settings.endpoints[System.VAULT].url
            secrets = VaultTenant(
                f"{name}/vault",
                VaultTenantArgs(
                    tenant=tenant,
                    provider=providers.vault,
                    url=vault_url,
                    clusters=settings.clusters,
                    oidc_accessor=refs.oidc_accessor,
                    kubernetes_auth_paths=refs.kubernetes_auth_paths,
                    pipelines=_pipelines(refs.pipeline_auth_path, forge, settings.gitlab.edition),
                    pipeline_secrets=_pipeline_secrets(settings, forge, registry, quality),
                    signing_mount=refs.signing_mount,
                    platform_mount=refs.platform_mount,
                    pulled_secrets=_pulled_secrets(settings, tenant, deployed),
                ),
                child,
            )
            if secrets.public_keys is not None:
                images = f"{settings.registry_host}/{names_of(tenant).registry_project}/"
                signing = SigningKeys(images, secrets.public_keys)
            summary["secrets"] = secrets.mount.apply(lambda mount: f"{vault_url}/ui/vault/secrets/{mount}/kv/list")
        if settings.on(System.KUBERNETES):
            kubernetes = KubernetesTenant(
                f"{name}/kubernetes",
                KubernetesTenantArgs(
                    tenant=tenant,
                    clusters=settings.clusters,
                    providers=providers.kubernetes,
                    cluster_roles=refs.cluster_roles,
                    systems=settings.systems,
                    registry=_registry_login(settings, registry),
                    vault=_vault_address(settings, args.authorities),
                    signing=signing,
                ),
                child,
            )
            summary["namespaces"] = {
                e.name: {"cluster": e.cluster, "namespace": kubernetes.namespaces[e.name]} for e in tenant.environments
            }
            if backups := backups_of(settings.clusters, tenant):
                summary["backups"] = backups
            if settings.on(System.ARGOCD):
                argocd = ArgoCDTenant(
                    f"{name}/argocd",
                    ArgoCDTenantArgs(
                        tenant=tenant,
                        places=argocds,
                        clusters=settings.clusters,
                        stages=settings.stages,
                        namespaces=kubernetes.namespaces,
                        repositories=deployed,
                        pulling=pulling,
                    ),
                    child,
                )
                summary["applications"] = argocd.applications
            if settings.on(System.OBSERVABILITY):
                observed = ObservabilityTenant(
                    f"{name}/observability",
                    ObservabilityTenantArgs(
                        tenant=tenant,
                        providers=providers.kubernetes,
                        namespaces=kubernetes.namespaces,
                        runbooks=settings.observability.runbooks,
                        generation=settings.generations_of(tenant.slug)[-1],
                        deployments=_deployments_places(settings, tenant, providers, argocds),
                        grafana=_grafana(settings, tenant, providers, args.authorities),
                    ),
                    child,
                )
                if observed.dashboards is not None:
                    summary["dashboards"] = observed.dashboards
        self.summary = summary
        self.register_outputs(summary)


def _pipelines(
    auth_path: pulumi.Input[str] | None, forge: GitLabTenant | None, edition: Edition
) -> PipelineIdentity | None:
    """Return how Vault recognizes the tenant's jobs; None if it accepts no job tokens."""
    if auth_path is None or forge is None:
        return None
    protects = edition is Edition.PREMIUM
    return PipelineIdentity(auth_path, forge.group, forge.publishers, forge.operations, protects)


def _registry_login(settings: Settings, registry: HarborTenant | None) -> RegistryLogin | None:
    """Return the credential by which clusters pull the tenant's images; None if workloads do not run."""
    robot = registry.robots.get(RobotPurpose.PULL) if registry else None
    return RegistryLogin(settings.registry_host, robot) if robot else None


def _vault_address(settings: Settings, authorities: Mapping[str, str]) -> VaultAddress | None:
    """Return where clusters read secrets; None without Vault."""
    if not settings.on(System.VAULT):
        return None
    endpoint = settings.endpoints[System.VAULT]
    return VaultAddress(endpoint.url, endpoint.authority(authorities))


def _grafana(
    settings: Settings, tenant: Tenant, providers: Providers, authorities: Mapping[str, str]
) -> GrafanaPlace | None:
    """Return where the tenant's Grafana runs; None if it has none."""
    grafana = settings.observability.grafana
    if grafana is None or dashboards_url(settings, tenant) is None:
        return None
    keycloak = settings.endpoints[System.KEYCLOAK]
    issuer = OidcIssuer(settings.issuer, keycloak.authority(authorities))
    return GrafanaPlace(grafana, settings.clusters[grafana.cluster], providers.kubernetes[grafana.cluster], issuer)


def _clusters(settings: Settings, tenant: Tenant) -> tuple[Cluster, ...]:
    """Return the clusters of the tenant's environments."""
    return tuple(settings.clusters[environment.cluster] for environment in tenant.environments)


def _argocds(settings: Settings, tenant: Tenant, providers: Providers) -> tuple[ArgoCDPlace, ...]:
    """Return the Argo CDs of the platform that have objects of the tenant."""
    if not settings.on(System.ARGOCD):
        return ()
    found = settings.argocd.having(_clusters(settings, tenant))
    return tuple(ArgoCDPlace(instance, providers.kubernetes[instance.cluster]) for instance in found)


def _deployed(
    settings: Settings, tenant: Tenant, forge: GitLabTenant | None, registry: HarborTenant | None
) -> Mapping[str, DeployedRepository]:
    """Return the infra repositories by name, in the order of the tenant file."""
    readers = forge.readers if forge else {}
    puller = registry.robots.get(RobotPurpose.PULL) if registry else None
    found = {}
    for repository in tenant.repositories:
        if repository.deployment is None:
            continue
        chart = repository.deployment.chart
        found[repository.name] = DeployedRepository(
            repository_url(settings, tenant, repository.name),
            readers.get(repository.name, {}),
            None
            if chart is None
            else DeployedChart(chart_url(settings, tenant, chart), puller if chart.source == OWN_REGISTRY else None),
        )
    return found


def _pulled_secrets(
    settings: Settings, tenant: Tenant, deployed: Mapping[str, DeployedRepository]
) -> Mapping[str, Mapping[str, pulumi.Input[str]]]:
    """Return the credentials of repositories that the Argo CDs of clusters that pull read, by path."""
    names, found, reader = names_of(tenant), {}, settings.argocd.pulling_reader
    if not (settings.on(System.ARGOCD) and deploys(tenant)):
        return {}
    for environment in tenant.environments:
        cluster = settings.clusters[environment.cluster]
        if cluster.pull is None:
            continue
        for repository, source in deployed.items():
            credentials = {names.repository_secret(repository): source.readers.get(reader)}
            if source.chart is not None:
                credentials[names.chart_secret(environment.name, repository)] = source.chart.puller
            for name, credential in credentials.items():
                if credential is not None:
                    path = pulled_secret(cluster, tenant, name)
                    found[path] = {"username": credential.username, "password": credential.password}
    return found


def _deployments_places(
    settings: Settings, tenant: Tenant, providers: Providers, argocds: Sequence[ArgoCDPlace]
) -> tuple[DeploymentsPlace, ...]:
    """Return the Argo CDs that deploy the tenant's environments: the platform's, and those of clusters that pull."""
    if not settings.on(System.ARGOCD):
        return ()
    places = []
    for place in argocds:
        instance = place.instance
        own = [e for e in tenant.environments if instance.deploys_to(settings.clusters[e.cluster])]
        places.append(DeploymentsPlace(instance.namespace, place.provider, own, instance.suffix.removeprefix("/")))
    pulled: dict[str, tuple[str, list[Environment]]] = {}
    for environment in tenant.environments:
        pull = settings.clusters[environment.cluster].pull
        if pull is not None:
            pulled.setdefault(environment.cluster, (pull.argocd_namespace, []))[1].append(environment)
    zones = (
        DeploymentsPlace(namespace, providers.kubernetes[cluster], environments, cluster)
        for cluster, (namespace, environments) in pulled.items()
    )
    return (*places, *zones)


def _pipeline_secrets(
    settings: Settings, forge: GitLabTenant | None, registry: HarborTenant | None, quality: SonarQubeTenant | None
) -> Mapping[str, Mapping[str, pulumi.Input[str]]]:
    """Return the secrets that the platform writes for pipelines and readers, by path in the tenant's mount.

    They are the credentials that GitLab's job tokens cannot replace.
    """
    secrets: dict[str, Mapping[str, pulumi.Input[str]]] = {}
    for purpose, robot in (registry.robots if registry else {}).items():
        secrets[_ROBOT_SECRETS[purpose]] = {
            "username": robot.username,
            "password": robot.password,
            "registry": settings.registry_host,
        }
    for repository, token in (forge.mirrors if forge else {}).items():
        secrets[mirror_token_path(repository)] = {"token": token}
    if forge is not None:
        of_group = pulumi.Output.concat(
            settings.endpoints[System.GITLAB].url, "/api/v4/groups/", forge.group.apply(str), "/-/packages"
        )
        for reader, credential in forge.package_readers.items():
            secrets[f"{PACKAGES_FOLDER}/{reader}"] = {
                "username": credential.username,
                "password": credential.password,
                "url": of_group,
            }
    for repository, token in (forge.deployers if forge else {}).items():
        secrets[f"{CI_FOLDER}/deploy/{repository}"] = {"token": token}
    for repository, token in (quality.tokens if quality else {}).items():
        secrets[f"{CI_FOLDER}/quality/{repository}"] = {"token": token}
    return secrets


#: Every pipeline of the tenant can pull; only those of protected branches and tags can push.
_ROBOT_SECRETS: Mapping[RobotPurpose, str] = {
    RobotPurpose.PULL: PULL_SECRET,
    RobotPurpose.PUSH: f"{CI_FOLDER}/registry/push",
}
