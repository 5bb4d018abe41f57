"""Cron schedules: five fields, as GitLab and Argo CD read them."""

from __future__ import annotations

import re
from typing import Final

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final[tuple[tuple[str, int, int, dict[str, int]], ...]] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ITEM = re.compile(r"(\*|[0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?(?:/([0-9]{1,2}))?")

#: For the JSON Schema: the shape only; the parser checks the ranges.
CRON_PATTERN = r"^[0-9A-Za-z*,/-]+( [0-9A-Za-z*,/-]+){4}$"
#: The same with one minute of the hour, on each day of the month.
BACKUP_PATTERN = r"^[0-9]{1,2} [0-9*,/-]+ \* \* [0-9A-Za-z*,/-]+$"


def parse_cron(text: str) -> str:
    """Return the schedule with single spaces. Raises ValueError that names the field at fault."""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            "expected five fields: minute, hour, day of the month, month, day of the week, "
            f'such as "0 3 * * 1"; found {len(fields)}'
        )
    values = [_field(field, *rule) for field, rule in zip(fields, _FIELDS, strict=True)]
    days, months = values[2], values[3]
    if fields[4] == "*" and all(min(days) > _LONGEST_MONTH[month - 1] for month in months):
        raise ValueError("none of these months has such a day: it would never run")
    return " ".join(fields)


def parse_backup_schedule(text: str) -> str:
    """Return a schedule that runs at least once a week, and once an hour at most. Raises ValueError."""
    schedule = parse_cron(text)
    minute, _, day, month, _ = schedule.split(" ")
    if not minute.isdigit():
        raise ValueError('the minute: once an hour at most, so one number from 0 to 59, such as "0 2 * * *"')
    if (day, month) != ("*", "*"):
        raise ValueError('at least once a week, so the day of the month and the month are *, such as "0 2 * * 1"')
    return schedule


def _field(field: str, name: str, lowest: int, highest: int, words: dict[str, int]) -> set[int]:
    allowed = f"{lowest} to {highest}" + (f" or {next(iter(words))}, ..." if words else "")
    values: set[int] = set()
    for item in field.lower().split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(f"the {name}: expected *, a number, a range 1-5, a step */5 or a list ({allowed})")
        first, last, step = match.groups()
        if first == "*":
            if last is not None:
                raise ValueError(f"the {name}: a range goes from a number to a number ({allowed})")
            start, end = lowest, highest
        else:
            start = _number(first, name, words, allowed)
            end = _number(last, name, words, allowed) if last else (highest if step else start)
        if not lowest <= start <= highest or not lowest <= end <= highest:
            raise ValueError(f"the {name}: out of range; allowed: {allowed}")
        if start > end:
            raise ValueError(f"the {name}: the range ends before it starts")
        width = int(step) if step else 1
        if not 0 < width <= highest:
            raise ValueError(f"the {name}: a step goes from 1 to {highest}")
        values.update(range(start, end + 1, width))
    return values


def _number(text: str, name: str, words: dict[str, int], allowed: str) -> int:
    if text.isdigit():
        return int(text)
    if text not in words:
        raise ValueError(f"the {name}: not a number or a known name; allowed: {allowed}")
    return words[text]
