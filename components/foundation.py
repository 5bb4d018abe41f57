"""What tenants share, composed; and how a stack that holds only tenants finds it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gitlab as gitlab
import pulumi_vault as vault

from components.argocd import ArgoCDFoundation, ArgoCDFoundationArgs
from components.base import COMPOSITION, Component, FoundationRefs, Providers, number
from components.gitlab.foundation import GitLabFoundation, GitLabFoundationArgs
from components.harbor import HarborFoundation, HarborFoundationArgs
from components.keycloak import KeycloakFoundation, KeycloakFoundationArgs
from components.kubernetes.cluster_roles import ClusterRoleName
from components.kubernetes.foundation import KubernetesFoundation, KubernetesFoundationArgs, cluster_role_name
from components.people import KnownPeople
from components.sonarqube.foundation import SonarQubeFoundation, SonarQubeFoundationArgs
from components.vault.foundation import VaultFoundation, VaultFoundationArgs
from model.naming import (
    CATALOGUE_TAG_VARIABLE,
    OIDC_AUTH_PATH,
    OPERATIONS_GROUP,
    PIPELINE_AUTH_PATH,
    kubernetes_auth_path,
)
from model.settings import Settings, System


@dataclass(frozen=True, slots=True)
class FoundationArgs:
    """`people` are all user names of all tenants, `known` those that have accounts.

    `authorities` is the PEM text by CA file path, `catalogue` the text of the CI catalogue's files by path.
    """

    settings: Settings
    providers: Providers
    people: frozenset[str]
    authorities: Mapping[str, str]
    catalogue: Mapping[str, str]
    known: KnownPeople


class Foundation(Component):
    """Realm, OIDC clients, auth back ends, cluster roles and Argo CD's settings. `refs` is what tenants need of it."""

    system = COMPOSITION
    refs: FoundationRefs

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register one foundation component per system that is on."""
        super().__init__(name, opts)
        settings, providers = args.settings, args.providers
        child = pulumi.ResourceOptions(parent=self)
        realm: pulumi.Input[str] = settings.keycloak.realm
        accounts: Mapping[str, pulumi.Output[str]] = {}
        clients = {}
        if providers.keycloak is not None:
            keycloak = KeycloakFoundation(
                f"{name}/keycloak",
                KeycloakFoundationArgs(settings, providers.keycloak, args.people, args.known.keycloak),
                child,
            )
            realm, accounts, clients = keycloak.realm, keycloak.accounts, dict(keycloak.clients)
        forge_root: pulumi.Output[int] | None = None
        forge_operations: pulumi.Output[int] | None = None
        forge_users: Mapping[str, pulumi.Output[int]] = {}
        tag: pulumi.Output[str] | None = None
        if providers.gitlab is not None:
            forge = GitLabFoundation(
                f"{name}/gitlab",
                GitLabFoundationArgs(settings, providers.gitlab, args.people, args.catalogue, args.known.forge),
                child,
            )
            forge_root, forge_operations, forge_users = forge.root, forge.operations, forge.users
            tag = forge.catalogue_tag
        registry_login: pulumi.Output[str] | None = None
        if providers.harbor is not None:
            registry_login = HarborFoundation(
                f"{name}/harbor", HarborFoundationArgs(settings, providers.harbor, clients.get("harbor")), child
            ).login
        gates: Mapping[str, pulumi.Output[str]] = {}
        if providers.sonarqube is not None:
            gates = SonarQubeFoundation(
                f"{name}/sonarqube",
                SonarQubeFoundationArgs(settings, providers.sonarqube, clients.get("sonarqube")),
                child,
            ).gates
        accessor: pulumi.Output[str] | None = None
        pipeline_path: pulumi.Output[str] | None = None
        paths: Mapping[str, pulumi.Output[str]] = {}
        if providers.vault is not None:
            secrets = VaultFoundation(
                f"{name}/vault",
                VaultFoundationArgs(settings, providers.vault, clients.get("vault"), args.authorities),
                child,
            )
            accessor, paths, pipeline_path = secrets.oidc_accessor, secrets.kubernetes_paths, secrets.pipeline_path
        cluster_roles = {
            cluster: KubernetesFoundation(
                f"{name}/kubernetes/{cluster}",
                KubernetesFoundationArgs(settings, settings.clusters[cluster], provider),
                child,
            ).cluster_roles
            for cluster, provider in providers.kubernetes.items()
        }
        if settings.on(System.ARGOCD):
            client = clients.get("argocd")
            ArgoCDFoundation(
                f"{name}/argocd",
                ArgoCDFoundationArgs(
                    settings,
                    providers.kubernetes[settings.argocd.cluster],
                    client.client_id if client else None,
                    args.authorities,
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
            forge_root=forge_root,
            forge_operations=forge_operations,
            forge_users=forge_users,
            forge_levels=args.known.forge_levels,
            catalogue_tag=tag,
            registry_login=registry_login,
            gates=gates,
        )
        self.register_outputs({"realm": realm})


def look_up(settings: Settings, providers: Providers, people: frozenset[str], known: KnownPeople) -> FoundationRefs:
    """Return what `Foundation.refs` holds, for a stack without the foundation: names, and ids to ask for.

    `people` are the user names of the tenants the stack holds, `known` those that have accounts. The foundation's stack
    must have run before; the systems' errors say so otherwise.
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
            cluster: {role.value: cluster_role_name(cluster, role) for role in ClusterRoleName}
            for cluster in settings.clusters
        },
        pipeline_auth_path=PIPELINE_AUTH_PATH if settings.on(System.GITLAB) and providers.vault is not None else None,
        forge_root=_group(providers.gitlab, settings.gitlab.root),
        forge_operations=_group(providers.gitlab, f"{settings.gitlab.platform}/{OPERATIONS_GROUP}")
        if providers.operations is not None
        else None,
        forge_users=known.forge or {},
        forge_levels=known.forge_levels,
        catalogue_tag=_catalogue_tag(providers.gitlab, settings.gitlab.root),
        registry_login="oidc_auth" if settings.on(System.HARBOR) and settings.on(System.KEYCLOAK) else None,
    )


def _group(provider: gitlab.Provider | None, path: str) -> pulumi.Output[int] | None:
    """Look the id of a group up by its full path."""
    if provider is None:
        return None
    return number(gitlab.get_group_output(full_path=path, opts=pulumi.InvokeOutputOptions(provider=provider)).id)


def _catalogue_tag(provider: gitlab.Provider | None, root: str) -> pulumi.Output[str] | None:
    """Look up which tag of the CI catalogue the foundation has published: another checkout may hold other files."""
    if provider is None:
        return None
    return gitlab.get_group_variable_output(
        group=root,
        key=CATALOGUE_TAG_VARIABLE,
        environment_scope="*",
        opts=pulumi.InvokeOutputOptions(provider=provider),
    ).value
