"""The next run of a schedule: five cron fields in a time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_MONTHS: Final = dict(zip("jan feb mar apr may jun jul aug sep oct nov dec".split(), range(1, 13), strict=True))  # noqa: SIM905 - words
_DAYS: Final = dict(zip("sun mon tue wed thu fri sat".split(), range(7), strict=True))  # noqa: SIM905 - shorter than a list of quoted words
_SHORTCUTS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_RAILS_ZONES: Final = {
    "Paris": "Europe/Paris",
    "London": "Europe/London",
    "Berlin": "Europe/Berlin",
    "Eastern Time (US & Canada)": "America/New_York",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
}
_YEARS: Final = 8  # longest time between two 29 February


class CronError(ValueError):
    """An invalid cron text or time zone."""


def zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name or its name in Rails. Raises CronError."""
    try:
        return ZoneInfo(_RAILS_ZONES.get(name, name))
    except (KeyError, ValueError, OSError):
        raise CronError(f"no time zone {name!r}") from None


def next_run(text: str, zone_name: str, after: datetime) -> datetime:
    """Return the first matching time after `after` (with a time zone), in UTC. Raises CronError."""
    local = zone(zone_name)
    fields = _SHORTCUTS.get(text.strip(), text).split()
    if len(fields) != 5:  # noqa: PLR2004 - the fields of a cron line
        raise CronError("five fields are wanted")
    minutes, hours = _field(fields[0], 0, 59), _field(fields[1], 0, 23)
    days, months = _field(fields[2], 1, 31), _field(fields[3], 1, 12, _MONTHS)
    weekdays = {day % 7 for day in _field(fields[4], 0, 7, _DAYS)}
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    start = after.astimezone(local).replace(tzinfo=None, second=0, microsecond=0) + timedelta(minutes=1)
    day = start.date()
    for _ in range(_YEARS * 366):
        of_month, of_week = day.day in days, day.isoweekday() % 7 in weekdays
        if day.month in months and ((of_month or of_week) if either else (of_month and of_week)):
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    moment = datetime(day.year, day.month, day.day, hour, minute)
                    if moment >= start:
                        return moment.replace(tzinfo=local).astimezone(UTC)
        day += timedelta(days=1)
    raise CronError("never")


def _field(text: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    values: set[int] = set()
    for part in text.lower().split(","):
        span, _, step_text = part.partition("/")
        step = _number(step_text, 1, high, None) if step_text else 1
        if ("/" in part and not step_text) or not span:
            raise CronError(f"{part!r} is no part of a field")
        if span == "*":
            first, last = low, high
        else:
            start, _, stop = span.partition("-")
            first = _number(start, low, high, names)
            last = _number(stop, low, high, names) if "-" in span else (high if step_text else first)
        if first > last:
            raise CronError(f"{span!r} runs backwards")
        values.update(range(first, last + 1, step))
    return values


def _number(text: str, low: int, high: int, names: dict[str, int] | None) -> int:
    if names and text in names:
        return names[text]
    if not (text.isascii() and text.isdigit() and len(text) < 4 and low <= int(text) <= high):  # noqa: PLR2004 - numbers of a cron line are short
        raise CronError(f"{text!r} is not between {low} and {high}")
    return int(text)
