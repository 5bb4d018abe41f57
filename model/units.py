"""Which stack of a fleet has which tenants.

A unit is the part of a fleet that has a stack: a tenant, or a shard of several tenants. Its name is the slug of the
tenant, or ``K-of-N`` for a shard. No slug begins with a digit. The foundation is no unit; it is written as None.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

_SHARD: Final = re.compile(r"[1-9][0-9]{0,3}-of-[1-9][0-9]{0,3}")


def is_shard(unit: str) -> bool:
    """Return whether a name is that of a shard."""
    return _SHARD.fullmatch(unit) is not None


def tenant_of(unit: str | None) -> str | None:
    """Return the one tenant of a unit; None for a shard and for the foundation."""
    return None if unit is None or is_shard(unit) else unit


def unit_of(slug: str, shards: int | None) -> str:
    """Return the unit of a tenant, or of a unit itself; `shards` is their number, None for a stack per tenant.

    The shard of a tenant is a digest of its slug, so it stays when other tenants come and go.
    """
    if shards is None or is_shard(slug):
        return slug
    place = int.from_bytes(hashlib.sha256(f"shard:{slug}".encode()).digest()[:8])
    return f"{place % shards + 1}-of-{shards}"


def units_of(slugs: Iterable[str], shards: int | None) -> dict[str, tuple[str, ...]]:
    """Return the tenants of each unit that has any, sorted."""
    found: dict[str, list[str]] = {}
    for slug in sorted(slugs):
        found.setdefault(unit_of(slug, shards), []).append(slug)
    return {unit: tuple(members) for unit, members in found.items()}


def of_another_layout(units: Collection[str | None], shards: int | None) -> list[str]:
    """Return the units that a fleet with this number of shards cannot have, sorted."""
    end = f"-of-{shards}"
    return sorted(
        unit
        for unit in units
        if unit is not None and (is_shard(unit) if shards is None else not (is_shard(unit) and unit.endswith(end)))
    )


def with_tenants(unit: str | None, units: Mapping[str, Collection[str]], foundation: str) -> str:
    """Return how a table names a unit: a shard with its tenants, in brackets."""
    if unit is None:
        return foundation
    return f"{unit} ({', '.join(units.get(unit, ())) or 'no tenant'})" if is_shard(unit) else unit
