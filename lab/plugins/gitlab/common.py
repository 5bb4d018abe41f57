# ruff: noqa: ANN401 - JSON of a server has any type
"""Functions for several resources: access levels, composed ids, times in upstream's formats."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any, Final

from lab.plugins.server import PluginError
from lab.plugins.wire import Properties, Unknown, Value

LEVELS: Final = {
    "no one": 0,
    "minimal": 5,
    "guest": 10,
    "planner": 15,
    "reporter": 20,
    "developer": 30,
    "maintainer": 40,
    "owner": 50,
    "admin": 60,
}
NAMES: Final = {level: name for name, level in LEVELS.items()}
#: Access levels of members, shares and access tokens.
MEMBER_LEVELS: Final = ("no one", "minimal", "guest", "planner", "reporter", "developer", "maintainer", "owner")
#: Access levels of protected branches and tags.
PROTECTION_LEVELS: Final = ("no one", "developer", "maintainer", "admin")
DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


def level_name(level: Any) -> str:
    """Return the name of an access level; the level 0 is `no one`, the name of an unknown level is empty."""
    return NAMES.get(int(level or 0), "")


def parts(id_: str, *names: str) -> list[str]:
    """Split an id at its first colons into one part for each of `names`; raises `PluginError` if parts are missing."""
    found = id_.split(":", len(names) - 1)
    if len(found) != len(names):
        raise PluginError(f'unexpected ID format ("{id_}"). Expected {":".join(names)}')
    return found


def number(text: str, what: str) -> int:
    """Read a number in an id; raises `PluginError` if it is not a number."""
    try:
        return int(text)
    except ValueError:
        raise PluginError(f'unable to convert {what} "{text}" to an integer') from None


def known(block: Properties | None) -> Properties:
    """Return a block without unknown values."""
    return {
        name: value for name, value in (block or {}).items() if value is not None and not isinstance(value, Unknown)
    }


def moment(text: str | None) -> datetime | None:
    """Parse a time of the server."""
    return None if not text else datetime.fromisoformat(text).astimezone(UTC)


def rfc3339(text: str | None) -> str | None:
    """Format a time without fractions: `2026-01-02T03:04:05Z`."""
    found = moment(text)
    return None if found is None else found.strftime("%Y-%m-%dT%H:%M:%SZ")


def zoned(text: str | None) -> str | None:
    """Format a time without fractions and with its offset: `2026-01-02T04:04:05+01:00`, or Z for UTC."""
    return None if not text else datetime.fromisoformat(text).isoformat(timespec="seconds").replace("+00:00", "Z")


def go_time(text: str | None) -> str:
    """Format a time as Go's `String()`: `2026-01-02 03:04:05.678 +0000 UTC`; empty for None."""
    found = moment(text)
    if found is None:
        return ""
    fraction = f".{found.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{found:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"


def today() -> date:
    """Return the current date, UTC."""
    return datetime.now(UTC).date()


def a_date(value: Value) -> str | None:
    """Check a `YYYY-MM-DD` date."""
    try:
        if DATE.match(str(value)):
            date.fromisoformat(str(value))
            return None
    except ValueError:
        pass
    return f'expected "{value}" to be a valid YYYY-MM-DD date'
