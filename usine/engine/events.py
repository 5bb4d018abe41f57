"""What the engine did or would do, read from its event log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.naming import PENDING_PEOPLE
from pulumi_facts.log import message_text, only_counts, read_log
from pulumi_facts.paths import lookup, parse
from pulumi_facts.urns import Address, address_of
from pulumi_facts.values import ABSENT
from usine.engine.redact import Redactor
from usine.report.model import PropertyChange

#: Operations that do not change an object.
_IDLE = frozenset({"same", "refresh", "read", "read-replacement", "read-discard", "remove-pending-replace"})
#: The steps of a replacement; the engine also records the whole as `replace`.
_HALVES = frozenset({"create-replacement", "delete-replaced", "discard-replaced", "import-replacement"})


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one resource: `op` is ``create``, ``update``, ``replace``, ``delete`` or ``import``.

    `properties` are those that an update or a replacement changes. `inputs` are all inputs of the program, as the
    engine writes them: they are for comparison and are never shown. `done`: the step has ended. `seconds` is its
    duration, in whole seconds.
    """

    op: str
    address: Address
    properties: tuple[PropertyChange, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict, repr=False)
    done: bool = False
    seconds: float | None = None

    @property
    def removes(self) -> bool:
        """Whether the existing object is deleted; the new object of a replacement does not have its contents."""
        return self.op in {"delete", "replace"}


@dataclass(frozen=True, slots=True)
class Failure:
    """A resource that failed, and the first line of the reason. `address` is None for the program or the engine."""

    address: Address | None
    message: str


@dataclass(frozen=True, slots=True)
class Violation:
    """A policy that a resource violates (None: the whole stack). A `mandatory` one refuses the run."""

    policy: str
    address: Address | None
    message: str
    mandatory: bool


@dataclass(frozen=True, slots=True)
class Events:
    """One run of the engine.

    `steps` has every resource that changes, in the engine's order, components included; `same` counts the unchanged
    objects by system. `idle`: no resource changes, and each has the inputs, outputs, parent, provider and protection
    that are in the state. `seconds` is the engine's time. `pending` are the program's warnings about people who have no
    account yet.
    """

    steps: tuple[Step, ...] = ()
    same: Mapping[str, int] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    violations: tuple[Violation, ...] = ()
    idle: bool = False
    seconds: int = 0
    pending: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps of objects, which exist in a system, without components and providers."""
        return tuple(step for step in self.steps if step.address.is_object)


def read_events(log: Path, redactor: Redactor) -> Events:
    """Read an event log: one JSON object a line; a half-written last line is ignored, a missing file is empty."""
    return make_events(read_log(log), redactor)


@dataclass(slots=True)
class _Seen:
    ops: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    begun: int | None = None
    ended: int | None = None
    #: The resource is the same before and after the step, in every field of the event.
    alike: bool = True

    @property
    def idle(self) -> bool:
        """Whether the resource does not change in any field of the event."""
        return self.ops.keys() == {"same"} and self.ended is not None and self.alike


def make_events(events: Iterable[Mapping[str, Any]], redactor: Redactor) -> Events:
    """Return what the events mean, with every credential masked."""
    seen: dict[str, _Seen] = {}
    messages: dict[str, str] = {}
    failed: dict[str, None] = {}
    violations: list[Violation] = []
    pending: dict[str, None] = {}
    seconds = 0
    for event in events:
        match event:
            case {"resourcePreEvent": {"metadata": {"op": str(op), "urn": str(urn)} as metadata}}:
                one = seen.setdefault(urn, _Seen())
                one.ops[op] = metadata
                one.begun = one.begun or event.get("timestamp")
            case {"resOutputsEvent": {"metadata": {"op": str(op), "urn": str(urn)} as metadata}}:
                one = seen.setdefault(urn, _Seen())
                one.ops.setdefault(op, metadata)
                one.ended = event.get("timestamp") or one.begun or 0
                # A component has two such events: for its step, and when the program registers its outputs.
                one.alike &= metadata.get("old") == metadata.get("new")
            case {"resOpFailedEvent": {"metadata": {"urn": str(urn)}}}:
                failed[urn] = None
            case {"diagnosticEvent": {"severity": "error", "message": str(message), **rest}}:
                urn = str(rest.get("urn") or "")
                messages.setdefault(urn, redactor.text(_first_line(message)))
                failed.setdefault(urn, None)
            case {"diagnosticEvent": {"severity": "warning", "message": str(message)}}:
                said = redactor.text(_first_line(message))
                pending |= {said: None} if said.startswith(PENDING_PEOPLE) else {}
            case {"policyEvent": {"policyName": str(policy), "message": str(message), **rest}}:
                of = str(rest.get("resourceUrn") or "")
                level = rest.get("enforcementLevel")
                said = redactor.text(message_text(message))
                violations.append(Violation(policy, address_of(of) if of else None, said, level == "mandatory"))
            case {"summaryEvent": {"durationSeconds": int(seconds)}}:
                pass
            case _:
                pass
    return Events(
        steps=tuple(step for urn, one in seen.items() if (step := _step(urn, one, failed, redactor))),
        same=Counter(
            address.system for urn, one in seen.items() if not _telling(one) and (address := address_of(urn)).is_object
        ),
        failures=_failures(failed, messages),
        violations=tuple(violations),
        idle=bool(seen) and not failed and all(one.idle for one in seen.values()),
        seconds=seconds,
        pending=tuple(pending),
    )


def _telling(one: _Seen) -> dict[str, Mapping[str, Any]]:
    return {op: metadata for op, metadata in one.ops.items() if op not in _IDLE}


def _step(urn: str, one: _Seen, failed: Mapping[str, None], redactor: Redactor) -> Step | None:
    ops = _telling(one)
    if not ops:
        return None
    op = "replace" if "replace" in ops or _HALVES & ops.keys() else next(reversed(ops))
    metadata = ops.get(op) or next(iter(ops.values()))
    changes = _properties(metadata) if op in {"update", "replace"} else ()
    done = one.ended is not None and urn not in failed
    seconds = float(one.ended - one.begun) if one.ended and one.begun else None
    return Step(
        op,
        address_of(urn),
        tuple(redactor.change(change) for change in changes),
        (metadata.get("new") or {}).get("inputs") or {},
        done,
        seconds,
    )


def _failures(failed: Iterable[str], messages: Mapping[str, str]) -> tuple[Failure, ...]:
    failures = [
        Failure(address_of(urn) if urn else None, messages.get(urn, "failed; the engine's output has the reason"))
        for urn in failed
    ]
    # A resource that fails makes the SDK end the program with a traceback: that is a follow-on error, and suppressed.
    of_objects = [failure for failure in failures if failure.address is not None and failure.address.is_object]
    return tuple(of_objects or failures)


def _properties(metadata: Mapping[str, Any]) -> tuple[PropertyChange, ...]:
    """Return the properties that a step changes; only their first key when the plugin gives no detailed diff."""
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    detailed: Mapping[str, Any] = metadata.get("detailedDiff") or {key: {} for key in metadata.get("diffs") or ()}
    changes = []
    for path, diff in sorted(detailed.items()):
        keys = parse(path)
        before = lookup(old.get("inputs"), keys)
        if not (diff or {}).get("inputDiff"):
            live = lookup(old.get("outputs"), keys)
            before = before if live is ABSENT else live
        changes.append(PropertyChange(path, before, lookup(new.get("inputs"), keys)))
    return tuple(changes)


def _first_line(message: str) -> str:
    """Return the first line that does not only count errors."""
    lines = [line.strip() for line in message_text(message).splitlines() if line.strip()]
    telling = [line for line in lines if not only_counts(line)] or lines
    return telling[0].removeprefix("* ") if telling else ""
