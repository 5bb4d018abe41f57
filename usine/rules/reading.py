"""Reads the waivers of both sides of a change from the bytes of their files."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Final

from model.problems import SpecError
from model.reading.waivers import WAIVERS_FILE, Waiver, WaiverWords, read_waivers
from model.settings import Settings
from usine.rules.registry import RULES

#: The rule whose waivers state how many objects may be removed.
_COUNTING: Final = "mass-removal"


def waiver_words(people: Iterable[str]) -> WaiverWords:
    """Return the words that an entry of the waivers file may use. `people` is the platform team."""
    return WaiverWords(tuple(rule.id for rule in RULES if rule.waivable), _COUNTING, frozenset(people))


def waivers_of_head(
    data: bytes | None, settings: Settings, today: datetime.date, source: str = WAIVERS_FILE
) -> tuple[Waiver, ...]:
    """Return the head's waivers; `data` is None where there is no file. Raises SpecError with every problem."""
    if data is None:
        return ()
    return read_waivers(data, waiver_words(settings.changes.platform_team), today, source)


def waivers_of_base(data: bytes | None, settings: Settings | None, today: datetime.date) -> tuple[Waiver, ...]:
    """Return the base's waivers; none if this program cannot read its file or its settings.

    A file that was valid when it was merged stays valid: no check depends on a later date.
    """
    if data is None or settings is None:
        return ()
    try:
        return waivers_of_head(data, settings, today)
    except SpecError:
        return ()


def allowances(waivers: Iterable[Waiver], today: datetime.date) -> dict[str, int]:
    """Return how many objects of each kind merged waivers allow to remove: the `allowed` of `mass_removals`."""
    return {
        waiver.object: waiver.removals
        for waiver in waivers
        if waiver.rule == _COUNTING and waiver.removals is not None and not waiver.expired(today)
    }
