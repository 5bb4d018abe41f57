"""Parsers of amounts: ``8Gi``, ``500m``, ``30d``. Each returns a number, or raises ValueError."""

from __future__ import annotations

import re

from model.quantities import UNITS
from model.reading.yaml_scalars import FRACTION, Ambiguous

_SIZE = re.compile(r"(0|[1-9][0-9]{0,17})(Ki|Mi|Gi|Ti|Pi)?")
_NEARLY_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGTP])(?:i?[bBoO]?)?", re.IGNORECASE)
_CPU = re.compile(r"(0|[1-9][0-9]{0,8})(?:\.([0-9]{1,3}))?")
_MILLI = re.compile(r"(0|[1-9][0-9]{0,11})m")
_FRACTION = re.compile(r"0\.[0-9]{1,6}|1(?:\.0{1,6})?")
_PERCENT = re.compile(r"[5-9][0-9](?:\.[0-9]{1,3})?")
_DAYS = re.compile(r"([1-9][0-9]{0,5})d")
#: A smaller number of bytes is probably a missing unit: ``memory: 8``.
_SMALLEST_SIZE = 1024**2

MOST_CPU = 100_000 * 1000
MOST_SIZE = 100 * 1024**5
MOST_COUNT = 1_000_000

SIZE_PATTERN = r"^(0|[1-9][0-9]*(Ki|Mi|Gi|Ti|Pi))$"
CPU_PATTERN = r"^((0|[1-9][0-9]{0,8})(\.[0-9]{1,3})?|(0|[1-9][0-9]{0,11})m)$"


def parse_cpu(value: object) -> int:
    """Return millicores of ``4``, ``0.5`` or ``500m``."""
    text = str(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else ""
    if isinstance(value, Ambiguous) and value.meaning == FRACTION:
        text = value.text
    if text.startswith("-"):
        raise ValueError("an amount of CPU must not be negative")
    if match := _MILLI.fullmatch(text):
        amount = int(match[1])
    elif match := _CPU.fullmatch(text):
        amount = int(match[1]) * 1000 + int((match[2] or "").ljust(3, "0"))
    else:
        raise ValueError("expected an amount of CPU: cores such as 4 or 0.5, or thousandths such as 500m")
    if amount > MOST_CPU:
        raise ValueError(f"more than {MOST_CPU // 1000:,} cores: is this a typing error?")
    return amount


def parse_size(value: object) -> int:
    """Return bytes of ``512Mi`` or ``8Gi``; 0 is 0."""
    text = str(value) if isinstance(value, (int, str, Ambiguous)) and not isinstance(value, bool) else ""
    if text.startswith("-"):
        raise ValueError("a size must not be negative")
    match = _SIZE.fullmatch(text)
    if match is None:
        nearly = _NEARLY_SIZE.fullmatch(text)
        hint = ""
        if nearly is not None and len(text) <= 12:  # noqa: PLR2004 - a longer text is no typing error
            number, unit = nearly[1], nearly[2].upper()
            hint = f"; did you mean {number}{unit}i?" if "." not in number else ""
        raise ValueError(f"expected a whole number and a unit, Mi, Gi or Ti, such as 8Gi{hint}")
    amount = int(match[1]) * UNITS.get(match[2] or "", 1)
    if match[2] is None and amount:
        hint = f"; did you mean {text}Gi?" if amount < _SMALLEST_SIZE else ""
        raise ValueError(f"{int(text):,} bytes: write a size with its unit, Mi, Gi or Ti{hint}")
    if amount > MOST_SIZE:
        raise ValueError("more than 100Pi: is this a typing error?")
    return amount


def parse_count(value: object) -> int:
    """Return a whole number, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("expected a whole number")  # noqa: TRY004 - pydantic takes ValueError only
    if value < 0:
        raise ValueError("a number must not be negative")
    if value > MOST_COUNT:
        raise ValueError(f"more than {MOST_COUNT:,}: is this a typing error?")
    return value


def parse_days(value: object) -> int:
    """Return days of ``30d``."""
    match = _DAYS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        hint = f"; did you mean {value}d?" if type(value) is int and 0 < value <= 3650 else ""  # noqa: PLR2004 - ten years in days
        raise ValueError(f"expected a number of days such as 30d{hint}")
    days = int(match[1])
    if days > 3650:  # noqa: PLR2004 - ten years in days
        raise ValueError("more than 3650d (ten years)")
    return days


def minutes_of(duration: str) -> int:
    """Return the minutes of a legal duration such as ``8h``, ``30m`` or ``1h30m``."""
    hours, _, minutes = duration.removesuffix("m").rpartition("h")
    return int(hours or 0) * 60 + int(minutes or 0)


def parse_percent(value: object) -> float:
    """Return a percentage, at least 50 and less than 100, of ``99.9``."""
    number = value.text if isinstance(value, Ambiguous) and value.meaning == FRACTION else value
    text = str(number) if isinstance(number, (int, float, str)) and not isinstance(number, bool) else ""
    if not _PERCENT.fullmatch(text):
        nearly = re.fullmatch(r"([5-9][0-9](?:\.[0-9]{1,3})?) ?%", text)
        hint = f"; did you mean {nearly[1]}?" if nearly else ""
        raise ValueError(f"expected a percentage from 50 to less than 100, such as 99.9{hint}")
    return float(text)


def parse_fraction(value: object) -> float:
    """Return a fraction, more than 0 and at most 1, of ``0.2``."""
    number = value.text if isinstance(value, Ambiguous) and value.meaning == FRACTION else value
    text = str(number) if isinstance(number, (int, float, str)) and not isinstance(number, bool) else ""
    if not _FRACTION.fullmatch(text) or float(text) == 0:
        nearly = re.fullmatch(r"([1-9][0-9]?) ?%", text)
        hint = f"; did you mean {int(nearly[1]) / 100:g}?" if nearly else ""
        raise ValueError(f"expected a fraction between 0 and 1, such as 0.2{hint}")
    return float(text)
