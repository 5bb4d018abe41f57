"""Kubernetes' part of the foundation: on each cluster, the roles and admission policies of tenant namespaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.rbac import v1 as rbac

from components.base import Component
from components.kubernetes.admission import TenantAdmission, TenantAdmissionArgs
from components.kubernetes.cluster_roles import ClusterRoleName, cluster_roles
from model.settings import Cluster, Settings


@dataclass(frozen=True, slots=True)
class KubernetesFoundationArgs:
    """One cluster of the settings, and its provider."""

    settings: Settings
    cluster: Cluster
    provider: kubernetes.Provider


class KubernetesFoundation(Component):
    """The cluster roles that tenant namespaces bind, and what the API server refuses there.

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
                    name=cluster_role_name(args.cluster.name, short), labels={"app.kubernetes.io/managed-by": "usine"}
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
            TenantAdmissionArgs(args.settings, args.cluster, args.provider),
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"clusterRoles": dict(self.cluster_roles)})


def cluster_role_name(cluster: str, role: ClusterRoleName) -> str:
    """Name of a tenant cluster role; the cluster is part of it, since two clusters may share one API server."""
    return f"usine:{cluster}:{role.value}"
