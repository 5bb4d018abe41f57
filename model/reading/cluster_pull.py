"""The key `pull` of a cluster in the settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from model.clusters import ClusterPull
from model.problems import KeyPath, Note
from model.reading.settings_schema import ClusterPullSection, ClusterSection, SettingsSection
from model.settings import System

#: What a zone is called if it has a repository: a path in GitLab.
_ZONE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def to_cluster_pull(stated: ClusterPullSection | None) -> ClusterPull | None:
    """Return how a cluster pulls its objects."""
    return None if stated is None else ClusterPull(stated.issuer, Path(stated.keys), stated.argocd_namespace)


def check_cluster_pull(name: str, cluster: ClusterSection, file: SettingsSection, note: Note) -> None:
    """Report a cluster that is neither reached nor pulls, and what a cluster that pulls cannot have."""
    path: KeyPath = ("clusters", name)
    where = f"usine:clusters.{name}"
    if cluster.pull is None:
        if cluster.context is None:
            note(path, f"{where}: `context` is missing, or `pull` for a cluster that the platform does not reach")
        return
    at: KeyPath = (*path, "pull")
    if cluster.context is not None:
        note((*path, "context"), f"{where}.context: the cluster pulls its objects: remove `context`, or `pull`")
    if cluster.ca is not None:
        note((*path, "ca"), f"{where}.ca: nothing of the platform connects to a cluster that pulls: remove it")
    if cluster.argocd_token is not None:
        note(
            (*path, "argocdToken"),
            f"{where}.argocdToken: the Argo CD of its own deploys to a cluster that pulls: remove it",
        )
    if missing := [s for s in (System.GITLAB, System.VAULT) if s.value not in file.systems]:
        note(
            at, f"{where}.pull: needs {' and '.join(missing)} in usine:systems: repository of the zone, log-in of pods"
        )
    if System.HARBOR.value in file.systems and cluster.secret_delivery is None:
        note(
            at,
            f"{where}.pull: needs `secretDelivery`: no manifest contains a Secret, so External Secrets reads the "
            "credential that pulls images",
        )
    if cluster.image_verifier is not None:
        note(
            (*path, "imageVerifier"),
            f"{where}.imageVerifier: not on a cluster that pulls: the verifier's credential is a Secret",
        )
    if _ZONE.fullmatch(cluster.zone) is None:
        note(
            (*path, "zone"),
            f"{where}.zone: the zone of a cluster that pulls has a repository: expected lower-case letters, digits and "
            "dashes",
        )
