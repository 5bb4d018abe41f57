"""What a change can reach: only that is planned again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from usine.diff.planning import Task, whole
from usine.diff.side import Fleet, Side, slug_of
from usine.plan.scope import Scope


@dataclass(frozen=True, slots=True)
class Reach:
    """What to plan of each side, and how to say so. `everything`: nothing of the platform is left out."""

    base: tuple[Task, ...]
    head: tuple[Task, ...]
    said: str
    everything: bool


def changed_paths(base: Side, head: Side) -> frozenset[str]:
    """Return the files that differ, from the repository's top."""
    return frozenset(
        path for path in base.objects.keys() | head.objects.keys() if base.objects.get(path) != head.objects.get(path)
    )


def same_platform(base: Side, head: Side) -> bool:
    """Say whether both sides have the same program and settings: then a tenant depends on its own file alone."""
    return base.settings == head.settings and base.program == head.program


def reach(base: Side, head: Side, read_base: Fleet | None, read_head: Fleet) -> Reach:
    """Decide what to plan. A side without the settings file holds nothing."""
    slugs = head.tenants(read_head.folder).keys() | base.tenants(read_head.folder).keys()
    if read_base is None or not same_platform(base, head):
        old = PurePosixPath(read_base.folder if read_base is not None else read_head.folder)
        return Reach(
            whole(base, old) if base.settings is not None else (),
            whole(head, read_head.folder),
            f"everything, {len(slugs)} tenants: the change may reach all of them",
            everything=True,
        )
    changed = changed_paths(base, head)
    touched = frozenset(slug for path in changed if (slug := slug_of(path, read_head.folder)) is not None)
    if not touched:
        return Reach((), (), "nothing: the change reaches no object", everything=False)
    named = frozenset(_people(read_base, touched)) | frozenset(_people(read_head, touched))
    return Reach(
        _part(base, read_base, touched, named),
        _part(head, read_head, touched, named),
        f"{len(touched)} of {len(slugs)} tenants and what all share: the change reaches no other",
        everything=False,
    )


def _people(fleet: Fleet, slugs: Iterable[str]) -> Iterable[str]:
    for slug in slugs:
        if slug in fleet.projects:
            yield from fleet.projects[slug].people


def _part(side: Side, fleet: Fleet, touched: frozenset[str], named: frozenset[str]) -> tuple[Task, ...]:
    """Plan the tenants that differ; of the people they name, those that any tenant of this side names have accounts."""
    return (Task(side, fleet.folder, Scope(touched & fleet.projects.keys(), named & fleet.people)),)
