"""The `needs:` of jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Needed:
    """A job that another one needs. `artifacts`: that job gets its files; `optional`: it may be absent."""

    name: str
    artifacts: bool = True
    optional: bool = False


def of(config: Mapping[str, Any]) -> list[Needed] | None:
    """Return what a job needs; None if it has no `needs:` and so waits for earlier stages."""
    needs = config.get("needs")
    if needs is None:
        return None
    return [
        Needed(one)
        if isinstance(one, str)
        else Needed(str(one["job"]), one.get("artifacts", True) is not False, one.get("optional") is True)
        for one in needs
    ]
