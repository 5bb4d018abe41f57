"""A tenant in Kubernetes: a namespace per environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.base import Component
from components.kubernetes.delivery import VaultAddress
from components.kubernetes.namespace import RegistryLogin, SigningKeys, TenantNamespace, TenantNamespaceArgs
from model.clusters import Cluster
from model.settings import System
from model.tenant import Tenant


@dataclass(frozen=True, slots=True)
class KubernetesTenantArgs:
    """`clusters`, `providers` and `cluster_roles` are by cluster name, for the clusters of the tenant's environments.

    `cluster_roles` are the full names of the tenant cluster roles by their short name. For `systems`, `registry` and
    `vault` and `signing` see `TenantNamespaceArgs`.
    """

    tenant: Tenant
    clusters: Mapping[str, Cluster]
    providers: Mapping[str, kubernetes.Provider]
    cluster_roles: Mapping[str, Mapping[str, pulumi.Input[str]]]
    systems: frozenset[System]
    registry: RegistryLogin | None = None
    vault: VaultAddress | None = None
    signing: SigningKeys | None = None


class KubernetesTenant(Component):
    """A namespace per environment. `namespaces` are their names by environment, once they exist."""

    system = "kubernetes"
    namespaces: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: KubernetesTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register one `TenantNamespace` per environment."""
        super().__init__(name, opts)
        self.namespaces = {
            environment.name: TenantNamespace(
                f"{name}/{environment.name}",
                TenantNamespaceArgs(
                    tenant=args.tenant,
                    environment=environment,
                    cluster=args.clusters[environment.cluster],
                    provider=args.providers[environment.cluster],
                    cluster_roles=args.cluster_roles[environment.cluster],
                    systems=args.systems,
                    registry=args.registry,
                    vault=args.vault,
                    signing=args.signing,
                ),
                pulumi.ResourceOptions(parent=self),
            ).namespace
            for environment in args.tenant.environments
        }
        self.register_outputs({"namespaces": dict(self.namespaces)})
