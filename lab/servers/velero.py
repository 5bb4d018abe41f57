"""Velero's API: schedules, backups and restores, in the Kubernetes API server."""

from __future__ import annotations

from lab.servers.definitions import Definitions


class Velero(Definitions):
    """Velero without its controllers: the API server accepts schedules, and nothing is backed up."""

    name = "velero"
    parts = ("velero",)
    namespace = "velero"
    names = tuple(f"{kind}.velero.io" for kind in ("backups", "restores", "schedules"))
