"""Kubernetes' part of a tenant: a namespace per environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.base import Component, FoundationRefs, UserPassword
from components.kubernetes.namespace import TenantNamespace, TenantNamespaceArgs
from model.settings import Settings
from model.tenant import Tenant


@dataclass(frozen=True, slots=True)
class KubernetesTenantArgs:
    """What one tenant's namespaces need. `providers` is by cluster name; `puller` reads the tenant's registry."""

    tenant: Tenant
    settings: Settings
    providers: Mapping[str, kubernetes.Provider]
    refs: FoundationRefs
    puller: UserPassword | None = None


class KubernetesTenant(Component):
    """A namespace per environment. `namespaces` is the namespace's name by environment, once it exists."""

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
                    settings=args.settings,
                    cluster=args.settings.clusters[environment.cluster],
                    provider=args.providers[environment.cluster],
                    cluster_roles=args.refs.cluster_roles[environment.cluster],
                    puller=args.puller,
                ),
                pulumi.ResourceOptions(parent=self),
            ).namespace
            for environment in args.tenant.environments
        }
        self.register_outputs({"namespaces": dict(self.namespaces)})
