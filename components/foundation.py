"""What tenants share, composed; and how a stack that holds only tenants finds it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_vault as vault

from components.argocd import ArgoCDFoundation, ArgoCDFoundationArgs
from components.base import COMPOSITION, Component, FoundationRefs, Providers
from components.keycloak import KeycloakFoundation, KeycloakFoundationArgs
from components.kubernetes import KubernetesFoundation, KubernetesFoundationArgs, cluster_role_name
from components.kubernetes_rules import ClusterRoleName
from components.vault import VaultFoundation, VaultFoundationArgs
from usine.naming import OIDC_AUTH_PATH, kubernetes_auth_path
from usine.spec.settings import Settings, System


@dataclass(frozen=True, slots=True)
class FoundationArgs:
    """`people` are all user names of all tenants; `authorities` the PEM text by CA file path."""

    settings: Settings
    providers: Providers
    people: frozenset[str]
    authorities: Mapping[str, str]


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
                f"{name}/keycloak", KeycloakFoundationArgs(settings, providers.keycloak, args.people), child
            )
            realm, accounts, clients = keycloak.realm, keycloak.accounts, dict(keycloak.clients)
        accessor: pulumi.Output[str] | None = None
        paths: Mapping[str, pulumi.Output[str]] = {}
        if providers.vault is not None:
            secrets = VaultFoundation(
                f"{name}/vault",
                VaultFoundationArgs(settings, providers.vault, clients.get("vault"), args.authorities),
                child,
            )
            accessor, paths = secrets.oidc_accessor, secrets.kubernetes_paths
        cluster_roles = {
            cluster: KubernetesFoundation(
                f"{name}/kubernetes/{cluster}",
                KubernetesFoundationArgs(settings.clusters[cluster], provider),
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
        )
        self.register_outputs({"realm": realm})


def look_up(settings: Settings, providers: Providers) -> FoundationRefs:
    """Return what `Foundation.refs` holds, for a stack without the foundation: names, and one id asked of Vault.

    The foundation's stack must have run before; Vault's error says so otherwise.
    """
    people_log_in = providers.vault is not None and settings.on(System.KEYCLOAK)
    return FoundationRefs(
        realm=settings.keycloak.realm,
        accounts={},
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
    )
