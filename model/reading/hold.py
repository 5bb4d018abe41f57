"""The keys `hold` and `pin` of a tenant file. How long they may last is a rule on changes: it depends on the day."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from model.reading.promotions import Note
from model.reading.schema import HoldSection, PinSection
from model.reading.yaml_reader import Suspect, examine, read
from model.settings import Settings
from model.texts import did_you_mean, show
from model.waves import Hold, Pin

#: The keys of a tenant file that only `usine fleet` acts on.
OF_THE_FLEET: Final = frozenset({"hold", "pin"})


def to_hold(stated: HoldSection | None, settings: Settings, note: Note) -> Hold | None:
    """Return until when a tenant is held; report a platform that holds no tenants."""
    if stated is None:
        return None
    if settings.fleet.longest_hold is None:
        note(
            ("hold",), "hold: this platform holds no tenants; it would allow it by usine:fleet.longestHold", at_key=True
        )
    return Hold(stated.until, stated.reason)


def to_pin(stated: PinSection | None, settings: Settings, note: Note) -> Pin | None:
    """Return the version that a tenant is pinned to. Only versions that the platform lists are legal."""
    if stated is None:
        return None
    versions = settings.fleet.versions
    if not versions:
        note(
            ("pin",), "pin: this platform pins no tenants; it would list versions in usine:fleet.versions", at_key=True
        )
    elif stated.version not in versions:
        known = did_you_mean(stated.version, versions)
        note(("pin", "version"), f"pin.version: the platform lists no version {show(stated.version)}; {known}")
    return Pin(stated.version, stated.until, stated.reason)


def without_keys(data: bytes, keys: Collection[str] = OF_THE_FLEET) -> bytes:
    """Return a checked tenant file without these keys at its top: their lines become empty, so that others stay.

    Raises ValueError if lines do not tell the keys apart, for example in a file that is one flow mapping.
    """
    examined = examine(data, "")
    lines = data.splitlines(keepends=True)
    starts = {str(path[0]): place.key[0] - 1 for path, place in examined.places.items() if len(path) == 1}
    ends = [*sorted(starts.values()), len(lines)]
    for key in starts.keys() & set(keys):
        first = starts[key]
        last = next(end for end in ends if end > first)
        lines[first:last] = [b"\n"] * (last - first)
    rest = b"".join(lines)
    value = examined.value
    wanted = {key: kept for key, kept in value.items() if key not in keys} if isinstance(value, dict) else None
    try:
        if read(rest) == wanted:
            return rest
    except Suspect:
        pass
    raise ValueError("its keys at the top are not on lines of their own")
