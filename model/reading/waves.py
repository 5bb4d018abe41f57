"""The key `usine:fleet` of the settings."""

from __future__ import annotations

import datetime

from model.problems import KeyPath, Note
from model.reading.amounts import minutes_of
from model.reading.settings_schema import FleetSection
from model.texts import show
from model.waves import FleetSettings, Wave


def to_fleet(stated: FleetSection, note: Note) -> FleetSettings:
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
    if stated.versions and stated.longest_pin is None:
        note(("fleet", "versions"), "usine:fleet.versions: the key longestPin is missing: for how many days at most?")
    return FleetSettings(
        tuple(Wave(tuple(wave.tenants or ()), wave.share or 0.0) for wave in stated.waves),
        datetime.timedelta(minutes=0 if stated.soak is None else minutes_of(stated.soak)),
        stated.scanned,
        stated.longest_hold,
        stated.versions,
        stated.longest_pin,
    )
