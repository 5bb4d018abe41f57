"""Backups: Velero acts with all rights on the cluster, so a tenant's schedule copies its own namespace only."""

from __future__ import annotations

from collections.abc import Iterator

from policy.model import Hidden, Policy, Resource, is_set, items_of

_API = "kubernetes:velero.io/"


def _own_namespace(resource: Resource) -> Iterator[str]:
    slug = resource.tenant
    if slug is None or not resource.type.startswith(_API):
        return
    if resource.kind != "Schedule":
        yield "it runs once: a declared one would run again whenever somebody deletes it"
        return
    template = ("spec", "template")
    included = resource.at(*template, "includedNamespaces")
    if not isinstance(included, Hidden):
        # The name of an environment has no dash: the slug is the text before the last dash.
        names = [name for name in items_of(included) if not isinstance(name, Hidden)]
        if len(items_of(included)) != 1 or any(str(name).rpartition("-")[0] != slug for name in names):
            yield "includedNamespaces is not one namespace of the tenant"
    excluded = resource.at(*template, "excludedNamespaceScopedResources")
    if not isinstance(excluded, Hidden) and not {"secrets", "*"} & {str(kind) for kind in items_of(excluded)}:
        yield "excludedNamespaceScopedResources does not name secrets: their values would be in the storage"
    if resource.at(*template, "includeClusterResources") is True:
        yield "includeClusterResources copies objects of the whole cluster"
    if is_set(resource.at(*template, "hooks")):
        yield "hooks run commands in pods, with Velero's rights"
    if resource.at("spec", "useOwnerReferencesInBackup") is True:
        yield "useOwnerReferencesInBackup deletes all backups with the schedule"


POLICIES = (
    Policy(
        "backup-own-namespace",
        "A backup schedule of a tenant copies one namespace of the tenant, without secrets; no restore is declared",
        "create schedules with components.kubernetes.backup.NamespaceBackup, and restores with `usine restore`",
        check=_own_namespace,
    ),
)
