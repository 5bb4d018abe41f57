"""The key `backup` of a cluster in the settings."""

from __future__ import annotations

from model.clusters import BackupTool, ClusterBackup, VolumeBackup
from model.problems import KeyPath, Note
from model.reading.settings_schema import ClusterBackupSection, ClusterSection, SettingsSection


def to_cluster_backup(stated: ClusterBackupSection | None) -> ClusterBackup | None:
    """Return what backs up a cluster."""
    if stated is None:
        return None
    return ClusterBackup(
        BackupTool(stated.kind),
        stated.namespace,
        stated.storage_location,
        VolumeBackup(stated.volumes),
        stated.longest,
    )


def check_cluster_backup(name: str, cluster: ClusterSection, file: SettingsSection, note: Note) -> None:
    """Report a backup of a cluster that backs up nothing, or keeps less than an archetype asks for."""
    if cluster.backup is None:
        return
    path: KeyPath = ("clusters", name, "backup")
    where = f"usine:clusters.{name}.backup"
    if not any(stage in file.stages and file.stages[stage].production for stage in cluster.stages):
        note(path, f"{where}: the cluster has no production stage, and only production is backed up")
    for archetype, section in file.archetypes.items():
        keep = section.environment.prod.backup.keep
        if keep > cluster.backup.longest:
            note((*path, "longest"), f"{where}.longest: archetype {archetype} keeps backups for {keep}d")
