"""The foundation, composed of its components, and the look-up of it for a stack that has only tenants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gitlab as gitlab
import pulumi_vault as vault

from components.argocd.foundation import ArgoCDFoundation, ArgoCDFoundationArgs
from components.base import (
    COMPOSITION,
    Component,
    FoundationRefs,
    GitLabRefs,
    OidcClient,
    OidcIssuer,
    Providers,
    number,
)
from components.gitlab.foundation import GitLabFoundation, GitLabFoundationArgs
from components.gitlab.variables import pipeline_variables
from components.harbor import HarborFoundation, HarborFoundationArgs
from components.keycloak import KeycloakFoundation, KeycloakFoundationArgs
from components.kubernetes.cluster_roles import ClusterRoleName
from components.kubernetes.foundation import KubernetesFoundation, KubernetesFoundationArgs
from components.people import KnownPeople
from components.sonarqube.foundation import SonarQubeFoundation, SonarQubeFoundationArgs
from components.vault.foundation import VaultFoundation, VaultFoundationArgs
from model.naming import (
    CATALOGUE_TAG_VARIABLE,
    OIDC_AUTH_PATH,
    OPERATIONS_GROUP,
    PIPELINE_AUTH_PATH,
    PLATFORM_MOUNT,
    PROXY_SECRET,
    SIGNING_MOUNT,
    cluster_role_name,
    kubernetes_auth_path,
    runner_secret,
)
from model.settings import Settings, System
from model.zone_naming import argocd_client, zone_secret


@dataclass(frozen=True, slots=True)
class FoundationArgs:
    """`people` are the user names of all tenants, `known` are those who have accounts.

    `authorities` is the PEM text of each CA file by its path, `catalogue` the text of the CI catalogue's files by path.
    """

    settings: Settings
    providers: Providers
    people: frozenset[str]
    authorities: Mapping[str, str]
    catalogue: Mapping[str, str]
    known: KnownPeople


class Foundation(Component):
    """Everything that tenants share, in each system that is on. `refs` is what tenants need from it."""

    system = COMPOSITION
    refs: FoundationRefs

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register one foundation component per system that is on, and one per cluster."""
        super().__init__(name, opts)
        settings, providers = args.settings, args.providers
        child = pulumi.ResourceOptions(parent=self)
        realm: pulumi.Input[str] = settings.keycloak.realm
        accounts: Mapping[str, pulumi.Output[str]] = {}
        clients: Mapping[str, OidcClient] = {}
        if providers.keycloak is not None:
            keycloak = KeycloakFoundation(
                f"{name}/keycloak",
                KeycloakFoundationArgs(
                    provider=providers.keycloak,
                    settings=settings.keycloak,
                    issuer=_issuer(settings, args.authorities),
                    systems=settings.systems,
                    endpoints=settings.endpoints,
                    argocds=settings.argocd.instances,
                    people=args.people,
                    known=args.known.keycloak,
                ),
                child,
            )
            realm, accounts, clients = keycloak.realm, keycloak.accounts, keycloak.clients
        own: dict[str, Mapping[str, pulumi.Input[str]]] = {}
        gitlab_refs: GitLabRefs | None = None
        if providers.gitlab is not None:
            forge = GitLabFoundation(
                f"{name}/gitlab",
                GitLabFoundationArgs(
                    provider=providers.gitlab,
                    settings=settings.gitlab,
                    people=args.people,
                    catalogue=args.catalogue,
                    versions=settings.catalogue,
                    credentials=settings.credentials,
                    variables=pipeline_variables(settings),
                    identities=settings.on(System.KEYCLOAK),
                    users=args.known.forge,
                    zones=settings.pulling_zones,
                ),
                child,
            )
            gitlab_refs = GitLabRefs(
                root=forge.root,
                catalogue_tag=forge.catalogue_tag,
                first_catalogue_tag=forge.first_catalogue_tag,
                operations=forge.operations,
                users=forge.users,
                levels=args.known.forge_levels,
            )
            for purpose, token in forge.runners.items():
                own[runner_secret(purpose)] = {"token": token, "url": settings.endpoints[System.GITLAB].url}
            if forge.zones is not None:
                for zone, reader in forge.zones.readers.items():
                    own[zone_secret(zone, "reader")] = {"username": reader.username, "password": reader.password}
                    own[zone_secret(zone, "report")] = {"token": forge.zones.reporters[zone]}
        registry_login: pulumi.Output[str] | None = None
        if providers.harbor is not None:
            registry = HarborFoundation(
                f"{name}/harbor",
                HarborFoundationArgs(
                    providers.harbor, settings.harbor, clients.get("harbor"), credentials=settings.credentials
                ),
                child,
            )
            registry_login = registry.login
            if registry.puller is not None:
                puller = registry.puller
                own[PROXY_SECRET] = {
                    "username": puller.username,
                    "password": puller.password,
                    "registry": settings.registry_host,
                }
        gates: Mapping[str, pulumi.Output[str]] = {}
        if providers.sonarqube is not None:
            gates = SonarQubeFoundation(
                f"{name}/sonarqube",
                SonarQubeFoundationArgs(
                    provider=providers.sonarqube,
                    url=settings.endpoints[System.SONARQUBE].url,
                    gates=settings.sonarqube.gates,
                    default_gate=settings.gates[0],  # the first gate of the settings is the platform's own
                    client=clients.get("sonarqube"),
                ),
                child,
            ).gates
        accessor: pulumi.Output[str] | None = None
        pipeline_path: pulumi.Output[str] | None = None
        signing_mount: pulumi.Output[str] | None = None
        platform_mount: pulumi.Output[str] | None = None
        paths: Mapping[str, pulumi.Output[str]] = {}
        if providers.vault is not None:
            secrets = VaultFoundation(
                f"{name}/vault",
                VaultFoundationArgs(
                    provider=providers.vault,
                    url=settings.endpoints[System.VAULT].url,
                    client=clients.get("vault"),
                    gitlab=settings.endpoints[System.GITLAB] if settings.on(System.GITLAB) else None,
                    clusters=tuple(settings.clusters.values()) if settings.on(System.KUBERNETES) else (),
                    authorities=args.authorities,
                    signs=settings.signs_images,
                    secrets=own,
                ),
                child,
            )
            accessor, paths, pipeline_path = secrets.oidc_accessor, secrets.kubernetes_paths, secrets.pipeline_path
            signing_mount, platform_mount = secrets.signing_mount, secrets.platform_mount
        cluster_roles = {
            cluster: KubernetesFoundation(
                f"{name}/kubernetes/{cluster}",
                KubernetesFoundationArgs(
                    cluster=settings.clusters[cluster],
                    provider=provider,
                    others=_on_the_same_server(settings, cluster),
                    registry=settings.registry_host if settings.on(System.HARBOR) else None,
                    vault=settings.endpoints[System.VAULT].url if settings.on(System.VAULT) else None,
                    webhook_hosts=settings.observability.webhook_hosts,
                ),
                child,
            ).cluster_roles
            for cluster, provider in providers.kubernetes.items()
        }
        for instance in settings.argocd.instances if settings.on(System.ARGOCD) else ():
            ArgoCDFoundation(
                f"{name}/argocd{instance.suffix}",
                ArgoCDFoundationArgs(
                    provider=providers.kubernetes[instance.cluster],
                    instance=instance,
                    admin_groups=settings.argocd.admin_groups,
                    client=clients.get(argocd_client(instance.name)),
                    clusters=tuple(settings.clusters.values()),
                    authorities=args.authorities,
                ),
                child,
            )
        self.refs = FoundationRefs(
            realm=realm,
            accounts=accounts,
            oidc_accessor=accessor,
            kubernetes_auth_paths=paths,
            cluster_roles=cluster_roles,
            pipeline_auth_path=pipeline_path,
            signing_mount=signing_mount,
            platform_mount=platform_mount,
            gitlab=gitlab_refs,
            registry_login=registry_login,
            gates=gates,
        )
        self.register_outputs({"realm": realm})


def _issuer(settings: Settings, authorities: Mapping[str, str]) -> OidcIssuer:
    """Return Keycloak's realm as an OIDC issuer."""
    endpoint = settings.endpoints[System.KEYCLOAK]
    return OidcIssuer(settings.issuer, endpoint.authority(authorities))


def _on_the_same_server(settings: Settings, cluster: str) -> tuple[str, ...]:
    """Return the names of the other clusters that have the same API server.

    The address of a cluster that pulls is as its own Argo CD knows it: the same one may be another server.
    """
    here = settings.clusters[cluster]
    others = (c for c in settings.clusters.values() if c.name != cluster and c.pull is None and here.pull is None)
    return tuple(c.name for c in others if c.server == here.server)


def look_up(settings: Settings, providers: Providers, people: frozenset[str], known: KnownPeople) -> FoundationRefs:
    """Return the value of `Foundation.refs` in a stack without the foundation: names, and ids that the systems look up.

    `people` are the user names of the tenants of the stack, `known` are those who have accounts. The stack with the
    foundation must have run before; otherwise the look-ups fail.
    """
    people_log_in = providers.vault is not None and settings.on(System.KEYCLOAK)
    return FoundationRefs(
        realm=settings.keycloak.realm,
        accounts={person: person for person in (people if known.keycloak is None else known.keycloak)},
        oidc_accessor=vault.get_auth_backend_output(
            path=OIDC_AUTH_PATH, opts=pulumi.InvokeOutputOptions(provider=providers.vault)
        ).accessor
        if people_log_in
        else None,
        kubernetes_auth_paths={c.name: kubernetes_auth_path(c) for c in settings.clusters.values()}
        if settings.on(System.KUBERNETES)
        else {},
        cluster_roles={
            cluster: {role.value: cluster_role_name(cluster, role.value) for role in ClusterRoleName}
            for cluster in settings.clusters
        },
        pipeline_auth_path=PIPELINE_AUTH_PATH if settings.on(System.GITLAB) and providers.vault is not None else None,
        platform_mount=PLATFORM_MOUNT if settings.pulling_zones and providers.vault is not None else None,
        signing_mount=SIGNING_MOUNT if settings.signs_images and providers.vault is not None else None,
        gitlab=_look_up_gitlab(settings, providers.gitlab, providers.operations is not None, known)
        if providers.gitlab is not None
        else None,
        registry_login="oidc_auth" if settings.on(System.HARBOR) and settings.on(System.KEYCLOAK) else None,
    )


def _look_up_gitlab(settings: Settings, provider: gitlab.Provider, operations: bool, known: KnownPeople) -> GitLabRefs:
    """Return the value of `Foundation.refs.gitlab`; `operations`: the stack has tenants with scheduled work."""
    root, platform = settings.gitlab.root, settings.gitlab.platform
    return GitLabRefs(
        root=_group(provider, root),
        catalogue_tag=_catalogue_tag(provider, root),
        first_catalogue_tag=_catalogue_tag(provider, platform) if settings.catalogue.first else None,
        operations=_group(provider, f"{platform}/{OPERATIONS_GROUP}") if operations else None,
        users=known.forge or {},
        levels=known.forge_levels,
    )


def _group(provider: gitlab.Provider, path: str) -> pulumi.Output[int]:
    """Look up the id of a group by its full path."""
    return number(gitlab.get_group_output(full_path=path, opts=pulumi.InvokeOutputOptions(provider=provider)).id)


def _catalogue_tag(provider: gitlab.Provider, group: str) -> pulumi.Output[str]:
    """Look up the tag that the foundation published. It is not computed: this checkout may have other files."""
    return gitlab.get_group_variable_output(
        group=group,
        key=CATALOGUE_TAG_VARIABLE,
        environment_scope="*",
        opts=pulumi.InvokeOutputOptions(provider=provider),
    ).value
