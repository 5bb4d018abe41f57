"""The key `backup` of an environment."""

from __future__ import annotations

from model.clusters import Cluster
from model.problems import KeyPath
from model.reading.promotions import Note
from model.reading.schema import EnvironmentSection
from model.settings import Stage
from model.tenant import Backup


def to_backup(
    name: str, stated: EnvironmentSection, stage: Stage, cluster: Cluster, note: Note, *, by_file: bool
) -> Backup | None:
    """Return when an environment is backed up; report to `note` what is wrong. `by_file`: the file has the key."""
    path: KeyPath = ("environments", name, "backup")
    where = f"environments.{name}.backup"
    if not stage.production:
        if by_file:
            note(path, f"{where}: only environments of a production stage are backed up", at_key=True)
        return None
    if cluster.backup is None:
        if by_file:
            note(path, f"{where}: cluster {cluster.name} has no backups", at_key=True)
        return None
    backup = stated.backup
    if backup is None:
        return None
    if backup.keep > cluster.backup.longest:
        longest = f"cluster {cluster.name} keeps backups for {cluster.backup.longest}d at most"
        note((*path, "keep"), f"{where}.keep: {longest}")
    return Backup(backup.schedule, backup.keep)
