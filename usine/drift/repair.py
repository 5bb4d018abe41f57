"""Repairs the named objects, and no others, by a guarded `up`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from model.texts import suggest
from pulumi_facts.checkpoint import resources_of
from usine.drift import checkpoint
from usine.drift.findings import DriftFinding, Means
from usine.drift.patch import Patcher
from usine.drift.pending import pending
from usine.engine.cli import Engine
from usine.engine.events import Events
from usine.engine.guarded import Guardrails, Outcome, guarded_up
from usine.engine.lock import HeldLock
from usine.report.model import Action


class RepairError(Exception):
    """Some named objects cannot be repaired. The message has one line for each. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """The result of a repair: the outcome of the guarded run.

    `along` are the URNs of resources that use outputs of a missing object, which were updated too.
    """

    outcome: Outcome
    along: tuple[str, ...] = ()


def choose(keys: Iterable[str], findings: Sequence[DriftFinding]) -> tuple[DriftFinding, ...]:
    """Return the findings of the named objects.

    Raises RepairError for an unknown key, and for an object that only a person can repair, with the call to make.
    """
    by_key: dict[str, list[DriftFinding]] = {}
    for finding in findings:
        by_key.setdefault(finding.object_key, []).append(finding)
    problems: list[str] = []
    chosen: list[DriftFinding] = []
    for key in dict.fromkeys(keys):
        members = by_key.get(key)
        if members is None:
            close = suggest(key, by_key)
            hint = f"; did you mean {close}?" if close else ""
            problems.append(f"{key}: no finding has this key{hint}")
            continue
        ours = [member for member in members if member.means is not Means.HAND]
        if not ours:
            problems += [f"{key}: {_by_hand(member)}" for member in members]
        chosen += ours
    if problems:
        raise RepairError("\n".join(problems))
    return tuple(chosen)


def _by_hand(finding: DriftFinding) -> str:
    if finding.kind is Action.CHANGED:
        why = finding.detail or f"no file sets {finding.path}, so no run sets it back"
    else:
        why = (
            "it holds data, which no repair destroys"
            if finding.holds_data
            else "no plugin of the platform can remove it"
        )
    call = f"; manually: {finding.call}" if finding.call else ""
    return f"{finding.name} ({finding.type}): {why}{call}"


def repair(
    engine: Engine,
    lock: HeldLock,
    guardrails: Guardrails,
    chosen: Sequence[DriftFinding],
    patcher: Patcher,
    say: Callable[[str], None],
) -> Repaired:
    """Repair the chosen findings. The stack's interrupted runs must be recovered, and its lock held.

    `guardrails` are the limits of the run, without targets and allowed removals. `say` gets a line for each other
    change that the repair applies to these objects, before it is applied. Raises EngineError if the engine fails; the
    edits of the state are undone before.
    """
    by_means = {means: [finding for finding in chosen if finding.means is means] for means in Means}
    resources = resources_of(engine.export_state())
    patcher.apply(by_means[Means.PATCH], resources)
    missing = [finding.urn for finding in chosen if finding.kind is Action.MISSING]
    along = checkpoint.dependents(resources, missing)

    def tell(planned: Events) -> None:
        for line in pending(planned.steps, resources):
            say(f"applied along with the repair: {line}")

    done = checkpoint.edit(engine, _objects(by_means[Means.ADOPT]), by_means[Means.REVEAL])
    try:
        named = {finding.urn for finding in chosen if finding.urn} | set(along) | set(done.adopted.values())
        allowed = _allowed(by_means[Means.ADOPT])
        targets = tuple(sorted(named))
        outcome = guarded_up(
            engine, lock, replace(guardrails, targets=targets, refresh=True, allowed=allowed, on_planned=tell)
        )
    finally:
        checkpoint.undo(engine, done)
    return Repaired(outcome, tuple(along))


def _objects(findings: Iterable[DriftFinding]) -> list[DriftFinding]:
    return list({finding.object_key: finding for finding in findings}.values())


def _allowed(findings: Iterable[DriftFinding]) -> Mapping[str, int]:
    """Return the number of named objects by type: these are no mass removal."""
    return Counter(finding.type for finding in _objects(findings))
