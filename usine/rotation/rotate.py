"""The next step of a rotation, as lists of generations that the settings then have."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from model.settings import Credential, Settings
from usine.rotation.progress import Progress, Resource, RotationStage, by_owner, generations_in, progress_of
from usine.rotation.settings_text import Lists, lists_of
from usine.rotation.usage import UsageReader


@dataclass(frozen=True, slots=True)
class Decision:
    """What a call of `usine rotate` does: the lists that the settings then have, and what it found.

    `added` is the new generation; `removed` are the names of those taken away. If both are empty, nothing changes.
    """

    lists: Lists
    progress: tuple[Progress, ...]
    added: Credential | None = None
    removed: tuple[str, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether no rotation was under way."""
        return all(one.stage is RotationStage.IDLE for one in self.progress)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a rotation is decided from. `grace` replaces the time that old credentials of each type stay."""

    settings: Settings
    resources: Sequence[Resource]
    usage: UsageReader
    now: datetime.datetime
    grace: datetime.timedelta | None = None


def decide(facts: Facts, slug: str | None, until: datetime.date | None = None, *, start: bool = True) -> Decision:
    """Return the next step for one tenant, or for everybody (None).

    A new generation is added only if none is on its way, and with `start`. Old generations are taken away once nothing
    uses them any more. `until` is the last day of a new generation; by default, that of its robot accounts.
    """
    settings = facts.settings
    lists = dict(lists_of(settings))
    there = by_owner(facts.resources)
    owners = sorted(there, key=lambda owner: owner or "") if slug is None else [slug] if slug in there else []
    found = tuple(
        progress_of(owner, settings.generations_of(owner), there[owner], facts.usage, facts.now, facts.grace)
        for owner in owners
    )
    if all(one.stage is RotationStage.IDLE for one in found):
        if not start or not owners:
            return Decision(lists, found)
        new = _new_generation(facts, until)
        for key in [slug] if slug is not None else list(lists):
            lists[key] = (*settings.generations_of(key), new)
        return Decision(lists, found, added=new)
    removed: list[str] = []
    for key in [slug] if slug is not None else list(lists):
        listed = settings.generations_of(key)
        mine = found if slug is not None else [one for one in found if _list_of(settings, one.owner) == key]
        if listed[1:] and all(one.stage is RotationStage.READY for one in mine):
            lists[key] = listed[-1:]
            removed += [one.name for one in listed[:-1]]
    if removed:
        lists = {key: listed for key, listed in lists.items() if key is None or listed != lists[None]}
    return Decision(lists, found, removed=tuple(dict.fromkeys(removed)))


def _list_of(settings: Settings, owner: str | None) -> str | None:
    return owner if owner in settings.tenant_credentials else None


def _new_generation(facts: Facts, until: datetime.date | None) -> Credential:
    today = facts.now.date()
    last = until or today + datetime.timedelta(days=facts.settings.harbor.robot_days)
    return Credential(_new_name(f"{today:%Y-%m-%d}", _names_in_use(facts)), last)


def _names_in_use(facts: Facts) -> frozenset[str]:
    listed = {one.name for lists in lists_of(facts.settings).values() for one in lists}
    return generations_in(facts.resources) | listed


def _new_name(day: str, taken: Collection[str]) -> str:
    names = [day, *(f"{day}-{number}" for number in range(2, 100))]
    return next(name for name in names if name not in taken)
