"""The foundation on a cluster: the cluster roles and admission policies of tenant namespaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.rbac import v1 as rbac

from components.base import Component
from components.kubernetes.admission import TenantAdmission, TenantAdmissionArgs
from components.kubernetes.cluster_roles import cluster_roles
from model.clusters import Cluster
from model.naming import MANAGED_BY_LABEL, cluster_role_name


@dataclass(frozen=True, slots=True)
class KubernetesFoundationArgs:
    """One cluster, its provider, and what admission policies name of the platform: see `TenantAdmissionArgs`."""

    cluster: Cluster
    provider: kubernetes.Provider
    others: Sequence[str] = ()
    registry: str | None = None
    vault: str | None = None
    webhook_hosts: Sequence[str] = ()


class KubernetesFoundation(Component):
    """The cluster roles that are bound in tenant namespaces, and the admission policies for these namespaces.

    `cluster_roles` is the role's full name by its short name.
    """

    system = "kubernetes"
    cluster_roles: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: KubernetesFoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the cluster roles and the admission policies."""
        super().__init__(name, opts)
        self.cluster_roles = {
            short.value: rbac.ClusterRole(
                f"{name}/{short.value}",
                metadata=ObjectMetaArgs(
                    name=cluster_role_name(args.cluster.name, short.value),
                    labels={MANAGED_BY_LABEL: "usine"},
                ),
                rules=[
                    rbac.PolicyRuleArgs(
                        api_groups=list(grant.groups), resources=list(grant.resources), verbs=list(grant.verbs)
                    )
                    for grant in grants
                ],
                opts=self.child(args.provider),
            ).metadata.apply(lambda metadata: str(metadata.name))
            for short, grants in cluster_roles(args.cluster.operators).items()
        }
        TenantAdmission(
            f"{name}/admission",
            TenantAdmissionArgs(
                args.cluster, args.provider, args.others, args.registry, args.vault, args.webhook_hosts
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"clusterRoles": dict(self.cluster_roles)})
