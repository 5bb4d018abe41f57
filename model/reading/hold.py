"""The key `hold` of a tenant file."""

from __future__ import annotations

from model.reading.promotions import Note
from model.reading.schema import HoldSection
from model.settings import Settings
from model.waves import Hold


def to_hold(stated: HoldSection | None, settings: Settings, note: Note) -> Hold | None:
    """Return until when a tenant is held. How long is a rule on changes: it depends on the day (`hold-length`)."""
    if stated is None:
        return None
    if settings.fleet.longest_hold is None:
        note(
            ("hold",), "hold: this platform holds no tenants; it would allow it by usine:fleet.longestHold", at_key=True
        )
    return Hold(stated.until, stated.reason)
