"""Publishes the state's objects to the repositories of zones: one commit for all changes of a zone."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from model.settings import MassRemoval, Settings
from usine.clients import ClientError, Connections
from usine.engine.sources import Sources
from usine.report.ids import NoticeId
from usine.report.model import Notice, Severity
from usine.rules.mass_removal import TENANT, mass_removals
from usine.zones.repository import Head, ZoneRepository
from usine.zones.tree import Scope, Tree, ZoneError, kind_of, owner_of, trees

#: What to do if a zone was not published.
REMEDY: Final = "`usine zones publish` repeats it; `usine up` does so as well"


@dataclass(frozen=True, slots=True)
class FileChanges:
    """What a commit changes: texts of new and changed files by path, and the paths of deleted ones."""

    created: Mapping[str, str]
    updated: Mapping[str, str]
    deleted: tuple[str, ...]

    @property
    def count(self) -> int:
        """The number of changed files."""
        return len(self.created) + len(self.updated) + len(self.deleted)


def changes_of(tree: Tree, head: Head, scope: Scope) -> FileChanges:
    """Return how the files at the head of the branch become those of the tree. Other stacks' files stay."""
    there = {path: blob for path, blob in head.files.items() if scope.holds(path)}
    return FileChanges(
        {path: file.text for path, file in tree.items() if path not in there},
        {path: file.text for path, file in tree.items() if path in there and there[path] != file.blob},
        tuple(sorted(there.keys() - tree.keys())),
    )


def removals_refused(
    changes: FileChanges,
    head: Head,
    tree: Tree,
    limits: MassRemoval,
    allowed: Mapping[str, int],
    archived: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Return why a commit would remove too many objects, by kind.

    As in the guard of the stack (`usine.engine.guard`), all files of a tenant that is gone or archived count as one.
    """
    staying = {file.tenant for file in tree.values()} - archived
    gone = {owner for path in changes.deleted if (owner := owner_of(path)) is not None and owner not in staying}
    removed = Counter(kind_of(path) for path in changes.deleted if owner_of(path) not in gone)
    existing = Counter(kind_of(path) for path in head.files)
    if gone:
        removed[TENANT] = len(gone)
    existing[TENANT] = len({owner for path in head.files if (owner := owner_of(path)) is not None})
    # An allowance for a run names the type token of Pulumi, whose last part is the kind.
    by_kind = {kind.rpartition(":")[2].lower() if ":" in kind else kind: number for kind, number in allowed.items()}
    refused = mass_removals(removed, existing, limits, by_kind)
    return tuple(f"{r.text}; if it is intended: --allow-removals {r.kind}={r.removed}" for r in refused)


def message_of(zone: str, changes: FileChanges, stack: str, sources: Sources, tree: Tree) -> str:
    """Return the message of the commit, which names what it was made from."""
    digest = hashlib.sha256("".join(f"{path} {file.blob}\n" for path, file in tree.items()).encode()).hexdigest()
    lines = {
        "Stack": stack,
        "Commit": sources.commit or "none",
        "Program": sources.program,
        "Tenants": sources.tenants,
        "Settings": sources.settings,
        "State": sources.state,
        "Manifests": digest,
    }
    counted = {"created": len(changes.created), "updated": len(changes.updated), "deleted": len(changes.deleted)}
    body = ", ".join(f"{number} {word}" for word, number in counted.items() if number)
    digests = "\n".join(f"Usine-{key}: {value}" for key, value in lines.items())
    return f"Publish zone {zone}: {body}\n\n{digests}\n"


@dataclass(frozen=True, slots=True)
class Publication:
    """The result for one zone. `commit` is None if nothing changed, or if `problem` says why nothing was published."""

    zone: str
    changes: int
    commit: str | None = None
    problem: str = ""

    @property
    def text(self) -> str:
        """What happened, in one line."""
        if self.problem:
            return f"zone {self.zone} was not published: {self.problem}"
        if self.commit is None:
            return f"zone {self.zone}: nothing changed"
        return f"zone {self.zone}: {self.changes} files changed, commit {self.commit[:12]}"


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes the objects of a stack. `tenants` are the slugs of all tenant files.

    `allowed` is how many objects of a kind may be removed, `archived` the archived tenants. `dry_run`: nothing is
    committed.
    """

    settings: Settings
    stack: str
    tenants: Sequence[str]
    connections: Connections
    allowed: Mapping[str, int]
    archived: frozenset[str] = frozenset()
    dry_run: bool = False

    def publish(self, checkpoint: Mapping[str, Any], sources: Sources) -> tuple[Publication, ...]:
        """Commit what changed, zone by zone. A zone that fails does not stop the others."""
        if not self.settings.pulling_zones:
            return ()
        try:
            found = trees(self.settings, checkpoint)
        except ZoneError as error:
            return tuple(Publication(zone, 0, problem=str(error)) for zone in self.settings.pulling_zones)
        client = self.connections.gitlab()
        done = []
        for zone, tree in found.items():
            try:
                repository = ZoneRepository(client, self.settings.gitlab, zone)
                done.append(self._zone(repository, zone, tree, sources))
            except ClientError as error:
                done.append(Publication(zone, 0, problem=str(error)))
        return tuple(done)

    def _zone(self, repository: ZoneRepository, zone: str, tree: Tree, sources: Sources) -> Publication:
        head = repository.head()
        scope = Scope.of(self.settings, self.tenants, tree.values())
        changes = changes_of(tree, head, scope)
        if changes.deleted and not tree and scope.owners is None:
            # Another stack's name, or a lost state: the cluster roles of a cluster are always there.
            return Publication(zone, changes.count, problem="the state has no object of its clusters")
        limits = self.settings.changes.mass_removal
        if refused := removals_refused(changes, head, tree, limits, self.allowed, self.archived):
            return Publication(zone, changes.count, problem="; ".join(refused))
        if not changes.count or self.dry_run:
            return Publication(zone, changes.count)
        message = message_of(zone, changes, self.stack, sources, tree)
        made = repository.commit(head, message, changes.created, changes.updated, changes.deleted)
        return Publication(zone, changes.count, made)


def notices_of(done: Sequence[Publication]) -> tuple[Notice, ...]:
    """Return a notice for each zone that was published, or that could not be."""
    return tuple(
        Notice(
            NoticeId.ZONE,
            Severity.WARNING if one.problem else Severity.INFO,
            one.text,
            remedy=REMEDY if one.problem else "",
        )
        for one in done
        if one.problem or one.commit
    )
