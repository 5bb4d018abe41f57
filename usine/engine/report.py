"""What a run did, read from the engine's own event log."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from usine.engine.urns import Address, address_of

#: Engine operations, by the word the report uses. The halves of a replacement count once.
_WORDS = {
    "create": "created",
    "import": "created",
    "update": "changed",
    "replace": "replaced",
    "delete": "destroyed",
    "same": "same",
    "refresh": "same",
    "read": "same",
    "discard": "destroyed",
}
ACTIONS = ("created", "changed", "replaced", "destroyed", "same")
_COLOUR = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Failure:
    """One resource that failed, and the first line of why. `address` is None for the program or the engine itself."""

    address: Address | None
    message: str


@dataclass(slots=True)
class RunReport:
    """What one run did: `done` counts objects by system, then by action; `seconds` is what the engine counted."""

    done: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    seconds: int = 0

    def count(self, action: str) -> int:
        """Return how many objects of all systems had this action."""
        return sum(counter[action] for counter in self.done.values())

    @property
    def tenants_touched(self) -> tuple[str, ...]:
        """Tenants with a failure, sorted; ``(foundation)`` stands for what they share."""
        return tuple(
            sorted({(f.address.tenant or "(foundation)") for f in self.failures if f.address and f.address.is_object})
        )

    @property
    def systems_touched(self) -> tuple[str, ...]:
        """Systems with a failure, sorted."""
        return tuple(sorted({f.address.system for f in self.failures if f.address and f.address.is_object}))


def read_report(log: Path) -> RunReport:
    """Read an engine event log: one JSON object a line; a half-written last line is ignored."""
    return make_report(_events(log))


def _events(log: Path) -> Iterable[Mapping[str, object]]:
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return


def make_report(events: Iterable[Mapping[str, object]]) -> RunReport:
    """Build the report of a run from its events."""
    report = RunReport()
    messages: dict[str, str] = {}
    failed: dict[str, None] = {}
    for event in events:
        match event:
            case {"resOutputsEvent": {"planning": True}}:
                pass  # the preview that comes before
            case {"resOutputsEvent": {"metadata": {"op": str(op), "urn": str(urn)}}}:
                address = address_of(urn)
                if address.is_object and op in _WORDS:
                    report.done.setdefault(address.system, Counter())[_WORDS[op]] += 1
            case {"resOpFailedEvent": {"metadata": {"urn": str(urn)}}}:
                failed[urn] = None
            case {"diagnosticEvent": {"severity": "error", "message": str(message), **rest}}:
                urn = str(rest.get("urn") or "")
                messages.setdefault(urn, _first_line(message))
                failed.setdefault(urn, None)
            case {"summaryEvent": {"durationSeconds": int(seconds)}}:
                report.seconds = seconds
            case _:
                pass
    failures = [
        Failure(address_of(urn) if urn else None, messages.get(urn, "failed; the engine's output says why"))
        for urn in failed
    ]
    # The SDK ends the program, with a traceback, because a resource failed: that is no failure of its own.
    of_objects = [f for f in failures if f.address is not None and f.address.is_object]
    report.failures = of_objects or failures
    return report


def _first_line(message: str) -> str:
    lines = [line.strip() for line in _COLOUR.sub("", message).splitlines() if line.strip()]
    return lines[0] if lines else ""
