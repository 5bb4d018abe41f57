"""What a backup and a restore of a tenant namespace contain, as plain values. This module does not use Pulumi.

Velero acts with all rights on the cluster. So both leave out what isolates a tenant and what gives rights: the platform
creates these again from the tenant file. They leave out Secrets, too: their values would be in the storage in clear.
"""

from __future__ import annotations

from collections.abc import Mapping

from model.clusters import Cluster, ClusterBackup, VolumeBackup
from model.naming import DOMAIN, MANAGED_BY_LABEL, TENANT_LABEL, names_of
from model.tenant import Backup, Environment, Tenant

API = "velero.io/v1"
#: The annotation of a restore with the person who asked for it.
REQUESTED_BY = f"{DOMAIN}/requested-by"
#: Kinds in a namespace: what gives rights, what isolates, values of secrets, and what another controller makes.
EXCLUDED = (
    "alertmanagerconfigs.monitoring.coreos.com",
    "applications.argoproj.io",
    "applicationsets.argoproj.io",
    "appprojects.argoproj.io",
    "ciliumnetworkpolicies.cilium.io",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "events",
    "events.events.k8s.io",
    "issuers.cert-manager.io",
    "limitranges",
    "namespacedimagevalidatingpolicies.policies.kyverno.io",
    "networkpolicies.networking.k8s.io",
    "policyexceptions.policies.kyverno.io",
    "probes.monitoring.coreos.com",
    "resourcequotas",
    "rolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
    "secrets",
    "secretstores.external-secrets.io",
    "serviceaccounts",
)
#: Kinds of the cluster that Velero adds to the objects of a namespace. It adds those of volumes, too.
EXCLUDED_OF_CLUSTER = (
    "clusterrolebindings.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io",
)
#: All objects but those that the platform manages.
_NOT_OURS = {"matchExpressions": [{"key": MANAGED_BY_LABEL, "operator": "NotIn", "values": ["usine"]}]}
_VOLUMES: dict[VolumeBackup, dict[str, object]] = {
    VolumeBackup.SNAPSHOTS: {"snapshotVolumes": True, "snapshotMoveData": False, "defaultVolumesToFsBackup": False},
    VolumeBackup.MOVED: {"snapshotVolumes": True, "snapshotMoveData": True, "defaultVolumesToFsBackup": False},
    VolumeBackup.FILES: {"snapshotVolumes": False, "snapshotMoveData": False, "defaultVolumesToFsBackup": True},
}


def schedule_spec(tenant: Tenant, environment: Environment, backup: Backup, tool: ClusterBackup) -> dict[str, object]:
    """Return the specification of a Velero Schedule.

    Values are as Velero writes them: its controller would replace a missing `skipImmediately`.
    """
    return {
        "schedule": backup.schedule,
        "skipImmediately": False,
        # With owner references, the backups would be deleted with the schedule.
        "useOwnerReferencesInBackup": False,
        "template": {
            # Without labels here, a backup would have those of the schedule, as if the platform managed it.
            "metadata": {"labels": {TENANT_LABEL: tenant.slug, f"{DOMAIN}/environment": environment.name}},
            "includedNamespaces": [names_of(tenant).namespace(environment.name)],
            "excludedNamespaceScopedResources": list(EXCLUDED),
            "excludedClusterScopedResources": list(EXCLUDED_OF_CLUSTER),
            "labelSelector": _NOT_OURS,
            "storageLocation": tool.storage_location,
            "ttl": f"{backup.keep_days * 24}h0m0s",
            **_VOLUMES[tool.volumes],
        },
    }


def backups_of(clusters: Mapping[str, Cluster], tenant: Tenant) -> Mapping[str, object]:
    """Return when each environment is backed up and how long backups are kept, for people; `clusters` are by name."""
    return {
        e.name: {
            "schedule": f"{e.backup.schedule} UTC",
            "keep": f"{e.backup.keep_days}d",
            "volumes": tool.volumes.value,
            "backups": f"{names_of(tenant).backup_schedule(e.name)}-<time>",
        }
        for e in tenant.environments
        if e.backup is not None and (tool := clusters[e.cluster].backup) is not None
    }


def restore(
    tenant: Tenant, environment: Environment, tool: ClusterBackup, *, backup: str | None, requested_by: str
) -> dict[str, object]:
    """Return a Velero Restore of an environment into its own namespace; `backup` None: from the newest backup.

    It adds what is missing and changes nothing that exists.
    """
    schedule = names_of(tenant).backup_schedule(environment.name)
    return {
        "apiVersion": API,
        "kind": "Restore",
        "metadata": {
            "generateName": f"{schedule}-",
            "namespace": tool.namespace,
            "labels": {TENANT_LABEL: tenant.slug, f"{DOMAIN}/environment": environment.name},
            "annotations": {REQUESTED_BY: requested_by},
        },
        "spec": {
            **({"scheduleName": schedule} if backup is None else {"backupName": backup}),
            "includedNamespaces": [names_of(tenant).namespace(environment.name)],
            "excludedResources": [*EXCLUDED, *EXCLUDED_OF_CLUSTER],
            "labelSelector": _NOT_OURS,
            "existingResourcePolicy": "none",
            "preserveNodePorts": False,
            "restorePVs": True,
        },
    }
