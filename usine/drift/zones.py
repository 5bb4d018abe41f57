"""Drift of clusters that pull: files of a zone's repository that differ from the state, and what the zone reports.

The plugin of such a cluster reads nothing (docs/zones.md). The cluster's own Argo CD compares the objects with the
repository, and sets the status of the commit that it has synchronized.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from model.clusters import Cluster
from model.settings import FoundationMode, Settings, System
from model.zone_naming import zone_status
from usine.clients import ClientError, Connections
from usine.drift.findings import DriftFinding, Means, Unseen
from usine.report.ids import NoticeId
from usine.report.model import Action, Notice, Severity
from usine.zones.repository import CommitReport, Head, ZoneRepository
from usine.zones.tree import Scope, Tree, ZoneError, owner_of, trees

#: The types of findings: a file of a zone's repository, and a cluster that pulls. No plugin has them.
FILE: Final = "usine:zones:File"
CLUSTER: Final = "usine:zones:Cluster"
#: How long a cluster may take to report a commit. Argo CD looks for commits every three minutes.
PATIENCE: Final = datetime.timedelta(hours=1)
#: What GitLab's states of a commit mean here (`components.argocd.zone`).
_STATES: Final[Mapping[str, str]] = {"success": "in sync", "canceled": "out of sync", "failed": "failed"}
_PUBLISH: Final = "usine zones publish"
_LOOK: Final = "look at the Application in the Argo CD of the zone"


@dataclass(frozen=True, slots=True)
class ZonesScan:
    """The differences, the zones that could not be read, and a notice with the state of each cluster."""

    findings: tuple[DriftFinding, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    notices: tuple[Notice, ...] = ()


def scan_zones(
    settings: Settings,
    tenants: Iterable[str],
    checkpoint: Mapping[str, Any],
    connections: Connections,
    now: datetime.datetime,
) -> ZonesScan:
    """Compare the repository of each zone with the state, and read what its clusters report."""
    if not settings.pulling_zones:
        return ZonesScan()
    slugs = tuple(tenants)
    try:
        found = trees(settings, checkpoint)
    except ZoneError as error:
        return ZonesScan(unseen=(Unseen(None, System.KUBERNETES.value, str(error)),))
    client = connections.gitlab()
    findings: list[DriftFinding] = []
    unseen: list[Unseen] = []
    notices: list[Notice] = []
    for zone, tree in found.items():
        repository = ZoneRepository(client, settings.gitlab, zone)
        # One stack reports for all, if the platform has a stack per tenant.
        own = settings.foundation is not FoundationMode.SKIP
        clusters = [c for c in settings.clusters.values() if own and c.pull is not None and c.zone == zone]
        try:
            head = repository.head()
            findings += _files(zone, tree, head, Scope.of(settings, slugs, tree.values()))
            for cluster in clusters:
                state = _state(repository, cluster, head, now)
                findings += state.findings
                notices.append(state.notice)
        except ClientError as error:
            unseen.append(Unseen(None, System.KUBERNETES.value, f"zone {zone}: {error}"))
    return ZonesScan(tuple(findings), tuple(unseen), tuple(notices))


def _files(zone: str, tree: Tree, head: Head, scope: Scope) -> Iterator[DriftFinding]:
    """Yield the files that differ. The author is that of the last commit, which may have changed other files."""
    by = f"{head.author}, {head.time}"
    there = {path: blob for path, blob in head.files.items() if scope.holds(path)}
    for path in sorted(tree.keys() | there.keys()):
        if path not in there:
            kind, detail = Action.MISSING, "not in the repository"
        elif path not in tree:
            kind, detail = Action.UNMANAGED, "the zone's Argo CD applies it, and the state does not have it"
        elif there[path] != tree[path].blob:
            kind, detail = Action.CHANGED, "not as in the state"
        else:
            continue
        yield DriftFinding(
            kind,
            owner_of(path) or None,
            System.KUBERNETES.value,
            FILE,
            f"{zone}: {path}",
            "content" if kind is Action.CHANGED else "",
            tree[path].blob if kind is Action.CHANGED else "",
            there[path] if kind is Action.CHANGED else "",
            detail=detail,
            by=by,
            means=Means.HAND,
            call=_PUBLISH,
        )


@dataclass(frozen=True, slots=True)
class _ClusterState:
    notice: Notice
    findings: tuple[DriftFinding, ...] = ()


def _state(repository: ZoneRepository, cluster: Cluster, head: Head, now: datetime.datetime) -> _ClusterState:
    """Return what a cluster reports on the last commit; or, if it does not yet, since when it is behind."""
    name = zone_status(cluster)
    report = repository.report(head.id, name)
    if report is not None and report.state in _STATES:
        return _reported(cluster, report)
    before = _last_success(repository, name, head)
    since = head.time if before is None else before.next
    if before is None:
        text, found = f"{cluster.name} has never reported a commit of zone {cluster.zone}", "never reported"
    else:
        text = f"{cluster.name} is behind since {since}: it last synchronized {before.report.commit[:12]}"
        found = "behind"
    late = now - datetime.datetime.fromisoformat(since) > PATIENCE
    return _ClusterState(
        Notice(NoticeId.ZONE, Severity.WARNING if late else Severity.INFO, text, remedy=_LOOK if late else ""),
        (_finding(cluster, found, text),) if late else (),
    )


def _reported(cluster: Cluster, report: CommitReport) -> _ClusterState:
    state = _STATES[report.state]
    text = f"{cluster.name} is {state} at {report.commit[:12]}, reported {report.time}"
    if state == "failed":
        text = f"{cluster.name} failed to synchronize {report.commit[:12]}, reported {report.time}"
    good = report.state == "success"
    return _ClusterState(
        Notice(NoticeId.ZONE, Severity.INFO if good else Severity.WARNING, text, remedy="" if good else _LOOK),
        () if good else (_finding(cluster, state, text),),
    )


def _finding(cluster: Cluster, found: str, detail: str) -> DriftFinding:
    return DriftFinding(
        Action.CHANGED,
        None,
        System.KUBERNETES.value,
        CLUSTER,
        cluster.name,
        "sync",
        "in sync",
        found,
        detail=detail,
        means=Means.HAND,
        call=_LOOK,
    )


@dataclass(frozen=True, slots=True)
class _Before:
    """The last commit that a cluster synchronized, and the time of the commit after it."""

    report: CommitReport
    next: str


def _last_success(repository: ZoneRepository, name: str, head: Head) -> _Before | None:
    after = head.time
    for commit, time in repository.commits():
        report = repository.report(commit, name) if commit != head.id else None
        if report is not None and report.state == "success":
            return _Before(report, after)
        after = time
    return None
