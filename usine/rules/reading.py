"""The waivers of both sides of a change, from the bytes of their files."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Final

from model.problems import SpecError
from model.reading.waivers import WAIVERS_FILE, Waiver, WaiverWords, read_waivers
from model.settings import Settings
from usine.rules.registry import RULES

#: The rule whose waivers say how many objects may go.
_COUNTING: Final = "mass-removal"


def waiver_words(people: Iterable[str]) -> WaiverWords:
    """Return what an entry of the waivers file may name; `people` is the platform's team."""
    return WaiverWords(tuple(rule.id for rule in RULES if rule.waivable), _COUNTING, frozenset(people))


def waivers_of_head(
    data: bytes | None, settings: Settings, today: datetime.date, source: str = WAIVERS_FILE
) -> tuple[Waiver, ...]:
    """Return the head's waivers; `data` is None where there is no file. Raises SpecError with all that is wrong."""
    if data is None:
        return ()
    return read_waivers(data, waiver_words(settings.changes.platform_team), today, source)


def waivers_of_base(data: bytes | None, settings: Settings | None, today: datetime.date) -> tuple[Waiver, ...]:
    """Return the base's waivers; none where its file or its settings cannot be read by this program.

    A file that was right when it was merged is right for ever: nothing in it depends on a later day.
    """
    if data is None or settings is None:
        return ()
    try:
        return waivers_of_head(data, settings, today)
    except SpecError:
        return ()


def allowances(waivers: Iterable[Waiver], today: datetime.date) -> dict[str, int]:
    """Return how many of a kind may go by waivers that are merged: what `mass_removals` takes as `allowed`."""
    return {
        waiver.object: waiver.removals
        for waiver in waivers
        if waiver.rule == _COUNTING and waiver.removals is not None and not waiver.expired(today)
    }
