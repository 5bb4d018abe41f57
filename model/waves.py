"""How a change of the platform reaches the tenants of a fleet: waves, and tenants that wait (docs/fleet.md)."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Wave:
    """The tenants that it names, or a share of all tenants, above 0 and up to 1.

    `probe` is a repository of each of its tenants: the next wave begins after a successful pipeline there. None: none.
    """

    tenants: tuple[str, ...] = ()
    share: float = 0.0
    probe: str | None = None


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """The waves in their order; the tenants that are in none of them are the last wave.

    A wave begins `soak` after the wave before it was applied. `scanned`: and after a drift scan without findings of
    each of its stacks. `longest_hold`: days that a tenant may be held, None if no tenant may be. `versions` are those
    that a tenant may be pinned to, for `longest_pin` days: the full commit id by name. `shards` is the number of stacks
    that the tenants are divided among; None: each tenant has a stack.
    """

    waves: tuple[Wave, ...] = ()
    soak: datetime.timedelta = datetime.timedelta()
    scanned: bool = True
    longest_hold: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    longest_pin: int | None = None
    shards: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """No run reaches the tenant up to and including the day `until`."""

    until: datetime.date
    reason: str


@dataclass(frozen=True, slots=True)
class Pin:
    """Up to and including the day `until`, the tenant is run with a version of `FleetSettings.versions`."""

    version: str
    until: datetime.date
    reason: str


def wave_of(unit: str, tenants: Collection[str], waves: Sequence[Wave]) -> int:
    """Return the index of the wave of a stack with these tenants; ``len(waves)`` is the last one.

    It is the first one that names one of them. The place among the shares is a digest of the stack's unit, so it stays
    when other tenants come and go.
    """
    for index, wave in enumerate(waves):
        if any(slug in wave.tenants for slug in tenants):
            return index
    place = int.from_bytes(hashlib.sha256(unit.encode()).digest()[:8]) / 2**64
    end = 0.0
    for index, wave in enumerate(waves):
        end += wave.share
        if place < end:
            return index
    return len(waves)
