"""The key `usine:fleet` of the settings."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from model.lifecycle import pipelines_run
from model.problems import KeyPath, Note
from model.reading.amounts import minutes_of
from model.reading.settings_schema import FleetSection
from model.settings import System
from model.tenant import Tenant
from model.texts import did_you_mean, show
from model.waves import FleetSettings, Wave

#: What to do about a key that concerns the stack of one tenant.
_ONE_OF: Final = "remove it, or shards"


def to_fleet(stated: FleetSection, systems: Collection[System], note: Note) -> FleetSettings:
    """Return how changes reach the tenants; report contradictions to `note`."""
    seen: set[str] = set()
    total = 0.0
    for index, wave in enumerate(stated.waves):
        path: KeyPath = ("fleet", "waves", index)
        where = f"usine:fleet.waves[{index}]"
        if (wave.tenants is None) == (wave.share is None):
            note(path, f"{where}: a wave has either tenants or a share of all tenants")
        for number, slug in enumerate(wave.tenants or ()):
            if slug in seen:
                note((*path, "tenants", number), f"{where}.tenants[{number}]: {show(slug)} is in the waves twice")
            seen.add(slug)
        total += wave.share or 0.0
        if wave.share is not None and total > 1:
            note((*path, "share"), f"{where}.share: the shares add up to more than 1")
        if wave.probe is not None and wave.tenants is None:
            note((*path, "probe"), f"{where}.probe: a wave with a probe names its tenants")
        if wave.probe is not None and System.GITLAB not in systems:
            note((*path, "probe"), f"{where}.probe: a probe is a pipeline: it needs gitlab in usine:systems")
    if stated.versions and stated.longest_pin is None:
        note(("fleet", "versions"), "usine:fleet.versions: the key longestPin is missing: for how many days at most?")
    if stated.longest_hold is not None and stated.shards is not None:
        note(("fleet", "longestHold"), f"usine:fleet.longestHold: a hold would hold all tenants of a shard: {_ONE_OF}")
    if stated.versions and stated.shards is not None:
        note(("fleet", "versions"), f"usine:fleet.versions: a version is that of all tenants of a shard: {_ONE_OF}")
    return FleetSettings(
        tuple(Wave(tuple(wave.tenants or ()), wave.share or 0.0, wave.probe) for wave in stated.waves),
        datetime.timedelta(minutes=0 if stated.soak is None else minutes_of(stated.soak)),
        stated.scanned,
        stated.longest_hold,
        stated.versions,
        stated.longest_pin,
        stated.shards,
    )


def check_probes(waves: Iterable[Wave], tenants: Iterable[Tenant]) -> Iterator[tuple[KeyPath, str]]:
    """Yield the place and the message for each tenant of a wave in which its probe cannot run."""
    known = {tenant.slug: tenant for tenant in tenants}
    for index, wave in enumerate(waves):
        path: KeyPath = ("fleet", "waves", index, "probe")
        for slug in wave.tenants if wave.probe is not None else ():
            tenant = known.get(slug)
            if tenant is not None and (wrong := _why_not(tenant, wave.probe or "")):
                yield path, f"usine:fleet.waves[{index}].probe: {wrong}"


def _why_not(tenant: Tenant, probe: str) -> str:
    """Return why a repository of a tenant is no probe; empty if it is one."""
    if not pipelines_run(tenant):
        return f"{tenant.slug} is {tenant.state.value}: it has no pipelines"
    names = sorted(repository.name for repository in tenant.repositories)
    if probe not in names:
        return f"{tenant.slug} has no repository {show(probe)}; {did_you_mean(probe, names)}"
    if any(repository.name == probe and repository.mirror is not None for repository in tenant.repositories):
        return f"{probe} of {tenant.slug} is a mirror: people outside the platform decide what its pipelines do"
    return ""
