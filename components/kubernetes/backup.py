"""Backups of a tenant namespace, by Velero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.base import Component
from components.kubernetes.backup_rules import API, schedule_spec
from model.clusters import ClusterBackup
from model.naming import names_of
from model.tenant import Backup, Environment, Tenant


@dataclass(frozen=True, slots=True)
class NamespaceBackupArgs:
    """One namespace of a tenant in production, on a cluster with backups."""

    tenant: Tenant
    environment: Environment
    backup: Backup
    tool: ClusterBackup
    provider: kubernetes.Provider
    namespace: core.Namespace
    labels: Mapping[str, str]


class NamespaceBackup(Component):
    """The Schedule in Velero's namespace, where no member of a tenant has a right.

    Every state of a tenant has it: its data stays until its file is removed, and the last backups outlive the schedule.
    """

    system = "kubernetes"

    def __init__(self, name: str, args: NamespaceBackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the schedule."""
        super().__init__(name, opts)
        CustomResource(
            f"{name}/schedule",
            api_version=API,
            kind="Schedule",
            metadata=ObjectMetaArgs(
                name=names_of(args.tenant).backup_schedule(args.environment.name),
                namespace=args.tool.namespace,
                labels=dict(args.labels),
            ),
            spec=schedule_spec(args.tenant, args.environment, args.backup, args.tool),
            opts=self.child(args.provider, depends_on=[args.namespace]),
        )
        self.register_outputs({})
