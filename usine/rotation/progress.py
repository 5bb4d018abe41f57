"""How far the rotation of an owner's stored credentials is: read from the settings, the state and the systems.

Nothing about a rotation is stored. An interrupted rotation therefore continues: each call finds the same step again.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model.settings import Credential
from pulumi_facts.generations import generation_of
from pulumi_facts.urns import address_of
from usine.drift.checkpoint import dependents
from usine.report.model import FOUNDATION
from usine.rotation.usage import RUNNER, UsageReader, grace_of

Resource = Mapping[str, Any]


class RotationStage(enum.StrEnum):
    """Where a rotation is.

    ``idle``: none is under way. ``apply``: the state is not what the settings list. ``wait``: an old credential may
    still be in use. ``ready``: the old generations can be taken away.
    """

    IDLE = "idle"
    APPLY = "apply"
    WAIT = "wait"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Progress:
    """The stage of an owner: a tenant, or the foundation (None). `reasons` say why it waits, or what is not applied."""

    owner: str | None
    stage: RotationStage
    reasons: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The owner for people."""
        return self.owner or FOUNDATION


@dataclass(frozen=True, slots=True)
class _Owned:
    """A credential of a generation in the state."""

    resource: Resource
    name: str
    generation: str

    @property
    def stem(self) -> str:
        """Its type and its name without the generation: the same for its successor."""
        return f"{self.resource['type']} {self.name.removesuffix(self.generation)}"


def by_owner(resources: Iterable[Resource]) -> Mapping[str | None, Sequence[Resource]]:
    """Return the resources of each tenant, and of the foundation (None), that has credentials with a generation.

    What hands out a credential belongs to the same owner.
    """
    found: dict[str | None, list[Resource]] = {}
    for resource in resources:
        found.setdefault(address_of(resource["urn"]).tenant, []).append(resource)
    return {owner: listed for owner, listed in found.items() if generations_in(listed)}


def generations_in(resources: Iterable[Resource]) -> frozenset[str]:
    """Return the names of all generations in the state: a new generation has none of them."""
    return frozenset(one.generation for one in _owned(resources))


def _owned(resources: Iterable[Resource]) -> Iterator[_Owned]:
    for resource in resources:
        address = address_of(resource["urn"])
        own_name = (resource.get("inputs") or {}).get("name")
        generation = generation_of(address.type, address.name, own_name)
        if generation is not None and not resource.get("delete"):
            yield _Owned(resource, address.name, generation)


def progress_of(
    owner: str | None,
    listed: Sequence[Credential],
    resources: Sequence[Resource],
    usage: UsageReader,
    now: datetime.datetime,
    grace: datetime.timedelta | None = None,
) -> Progress:
    """Return the stage of an owner whose settings list these generations. `grace` replaces that of each type.

    `resources` are those of the owner in the state.
    """
    owned = tuple(_owned(resources))
    names = [credential.name for credential in listed]
    there = {one.generation for one in owned}
    if extra := sorted(there - set(names)):
        return Progress(owner, RotationStage.APPLY, (f"generation {', '.join(extra)} is still there",))
    if not names[1:]:
        missing = there and names[0] not in there
        return Progress(owner, RotationStage.APPLY if missing else RotationStage.IDLE)
    if not owned:
        return Progress(owner, RotationStage.READY)
    new = [one for one in owned if one.generation == names[-1]]
    old = [one for one in owned if one.generation != names[-1]]
    if lacking := sorted({one.stem for one in old} - {one.stem for one in new}):
        return Progress(owner, RotationStage.APPLY, tuple(f"{_named(stem)}{names[-1]} is missing" for stem in lacking))
    if held := _holders(old, resources):
        return Progress(owner, RotationStage.APPLY, tuple(f"{name} still has the old credential" for name in held))
    reasons = tuple(_in_use(old, new, _handed_out(new, resources), usage, now, grace))
    return Progress(owner, RotationStage.WAIT if reasons else RotationStage.READY, reasons)


def _named(stem: str) -> str:
    return stem.partition(" ")[2]


def _holders(old: Sequence[_Owned], resources: Sequence[Resource]) -> list[str]:
    """Return what the old credentials are handed out to: objects of the state that use their values."""
    own = {str(one.resource["urn"]) for one in old}
    return sorted(address_of(urn).name for urn in dependents(resources, own))


def _handed_out(new: Sequence[_Owned], resources: Sequence[Resource]) -> datetime.datetime | None:
    """Return when the last of the new credentials reached the last place that hands it out; None: not known."""
    urns = [str(one.resource["urn"]) for one in new]
    reached = {*urns, *dependents(resources, urns)}
    times = [
        resource.get("modified") or resource.get("created") for resource in resources if resource["urn"] in reached
    ]
    if not all(isinstance(time, str) for time in times):
        return None
    return max(datetime.datetime.fromisoformat(str(time)) for time in times)


def _in_use(
    old: Sequence[_Owned],
    new: Sequence[_Owned],
    handed_out: datetime.datetime | None,
    usage: UsageReader,
    now: datetime.datetime,
    grace: datetime.timedelta | None,
) -> Iterator[str]:
    """Yield a reason for each old credential that may still be in use."""
    if handed_out is None:
        yield "the state does not say when the new credentials were handed out: run `usine up`"
        return
    for one in new:
        if one.resource["type"] == RUNNER and not (used := usage(one.resource)).last:
            yield f"{one.name}: {used.unknown or 'no runner has this token yet: install it (docs/runners.md)'}"
    for one in old:
        used = usage(one.resource)
        if used.unknown:
            yield f"{one.name}: its last use is not known: {used.unknown}"
            continue
        idle_since = max(handed_out, used.last or handed_out)
        free = idle_since + (grace_of(str(one.resource["type"])) if grace is None else grace)
        if free > now:
            what = f"was used on {_shown(used.last)}" if used.last and used.last > handed_out else "may be in use"
            yield f"{one.name} {what}: it stays until {_shown(free)}"


def _shown(moment: datetime.datetime) -> str:
    return f"{moment.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC"
