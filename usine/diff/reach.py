"""Which tenants a change can affect: only these are planned again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from model.reading.files import slug_of
from usine.diff.planning import Task, whole
from usine.diff.side import Side, SideContents
from usine.plan.scope import PlanScope


@dataclass(frozen=True, slots=True)
class Reach:
    """The tasks of each side, and a text that describes them. `everything`: the whole platform is planned."""

    base: tuple[Task, ...]
    head: tuple[Task, ...]
    text: str
    everything: bool


def changed_paths(base: Side, head: Side) -> frozenset[str]:
    """Return the files that differ, from the repository's top."""
    return frozenset(
        path for path in base.objects.keys() | head.objects.keys() if base.objects.get(path) != head.objects.get(path)
    )


def same_platform(base: Side, head: Side) -> bool:
    """Return whether both sides have the same program and settings. If so, a tenant depends on its own file only."""
    return base.settings == head.settings and base.program == head.program


def reach(base: Side, head: Side, read_base: SideContents | None, read_head: SideContents) -> Reach:
    """Decide what to plan. A side without the settings file has no objects."""
    slugs = head.tenants(read_head.folder).keys() | base.tenants(read_head.folder).keys()
    if read_base is None or not same_platform(base, head):
        old = PurePosixPath(read_base.folder if read_base is not None else read_head.folder)
        return Reach(
            whole(base, old) if base.settings is not None else (),
            whole(head, read_head.folder),
            f"everything, {len(slugs)} tenants: the change can affect all of them",
            everything=True,
        )
    changed = changed_paths(base, head)
    touched = frozenset(slug for path in changed if (slug := slug_of(path, read_head.folder)) is not None)
    if not touched:
        return Reach((), (), "nothing: the change affects no object", everything=False)
    named = frozenset(_people(read_base, touched)) | frozenset(_people(read_head, touched))
    return Reach(
        _part(base, read_base, touched, named),
        _part(head, read_head, touched, named),
        f"{len(touched)} of {len(slugs)} tenants and the foundation: the change affects no other tenant",
        everything=False,
    )


def _people(fleet: SideContents, slugs: Iterable[str]) -> Iterable[str]:
    for slug in slugs:
        if slug in fleet.projects:
            yield from fleet.projects[slug].people


def _part(side: Side, fleet: SideContents, touched: frozenset[str], named: frozenset[str]) -> tuple[Task, ...]:
    """Return the task for the tenants that differ. Their people have accounts if any tenant of this side names them."""
    return (Task(side, fleet.folder, PlanScope(touched & fleet.projects.keys(), named & fleet.people)),)
