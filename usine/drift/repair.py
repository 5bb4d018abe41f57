"""Put right what was named, and nothing else: by a guarded `up` of the objects concerned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from model.texts import suggest
from usine.drift import checkpoint
from usine.drift.findings import Finding, Means
from usine.drift.patch import Patcher
from usine.drift.pending import pending
from usine.engine.cli import Engine
from usine.engine.events import Events
from usine.engine.guarded import Guardrails, Outcome, guarded_up
from usine.engine.lock import HeldLock
from usine.report.model import Action


class RepairError(Exception):
    """Something named cannot be repaired; the message, one line for each, is for the user. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair came to: the guarded run's outcome.

    `along` are the URNs of what takes a value from an object made anew, and was looked after with it.
    """

    outcome: Outcome
    along: tuple[str, ...] = ()


def choose(keys: Iterable[str], findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings of the named objects that can be repaired.

    Raises RepairError for a key that no finding has, and for what only a person can put right: with the call to make.
    """
    by_key: dict[str, list[Finding]] = {}
    for finding in findings:
        by_key.setdefault(finding.object_key, []).append(finding)
    problems: list[str] = []
    chosen: list[Finding] = []
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


def _by_hand(finding: Finding) -> str:
    if finding.kind is Action.CHANGED:
        why = finding.detail or f"no file says how {finding.path} is to be, so no run sets it back"
    else:
        why = "it holds data, which no repair destroys" if finding.holds_data else "no plugin of the platform can do it"
    call = f"; by hand: {finding.call}" if finding.call else ""
    return f"{finding.name} ({finding.type}): {why}{call}"


def repair(
    engine: Engine,
    lock: HeldLock,
    guardrails: Guardrails,
    chosen: Sequence[Finding],
    patcher: Patcher,
    say: Callable[[str], None],
) -> Repaired:
    """Put the chosen findings right. The stack's interrupted runs must be settled, and its lock held.

    `guardrails` say what holds for the run beside targets and the removals that were named. `say` gets a line for each
    object whose file by now asks for something else, before that is applied along with the repair. Raises EngineError
    when the engine cannot be asked; what was changed in the state for the repair's sake has then been taken back.
    """
    by_means = {means: [finding for finding in chosen if finding.means is means] for means in Means}
    resources = checkpoint.resources_of(engine.export_state())
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


def _objects(findings: Iterable[Finding]) -> list[Finding]:
    return list({finding.object_key: finding for finding in findings}.values())


def _allowed(findings: Iterable[Finding]) -> Mapping[str, int]:
    """How many of each type were named to go: what was named one by one is no mass removal."""
    return Counter(finding.type for finding in _objects(findings))
