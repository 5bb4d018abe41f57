"""What a system must offer to have its objects found again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

Inputs = Mapping[str, Any]
Find = Callable[[Inputs], str | None]
Remove = Callable[[Inputs], bool]


class SystemFinder(Protocol):
    """One system, reached with the credentials of its provider plugin."""

    def finders(self) -> Mapping[str, Find]:
        """Return, by resource type, the function that finds an object's id."""

    def removers(self) -> Mapping[str, Remove]:
        """Return, by resource type, the function that removes an object that is of no use."""
