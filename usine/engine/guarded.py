"""`pulumi up` and `pulumi preview` with guard rails: on the engine's own plan, and on what it was made from."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from model.settings import Settings
from policy.config import config_of
from usine.engine.applied import applied_by, read_applied, write_applied
from usine.engine.binding import BoundPlan, bind, moved, other_stack, steps_moved
from usine.engine.cli import Engine, EngineError
from usine.engine.events import Events, Failure
from usine.engine.guard import check_plan, of_violations, read_known
from usine.engine.lock import HeldLock
from usine.engine.run import OnProgress, Run, run_engine
from usine.engine.sources import Sources, read_sources
from usine.report.model import Notice, Severity

#: The pack of policies, where the checkout has one.
POLICY_PACK = "policy"

#: The rule of the notice that says that somebody stopped the run.
INTERRUPTED = "interrupted"


class Status(enum.StrEnum):
    """How a run ended. ``planned``: a preview that may be applied; ``partial``: some of it failed, the rest is done."""

    PLANNED = "planned"
    APPLIED = "applied"
    REFUSED = "refused"
    FAILED = "failed"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a guarded run ended with.

    `plan` is what the engine meant to do, bound to its sources; None when it was not asked. `applying` says that the
    systems were touched, or could have been: `events` are then those of what was done, else those of the plan.
    `notices` say what refused the run and what else is to be said. `log` has the engine's own output.
    """

    status: Status
    events: Events
    notices: tuple[Notice, ...]
    log: Path
    plan: BoundPlan | None = None
    applying: bool = False

    @property
    def interrupted(self) -> bool:
        """Say whether somebody stopped the run."""
        return any(notice.rule == INTERRUPTED for notice in self.notices)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What failed."""
        return self.events.failures


def _ignore(planned: int, settled: int) -> None:
    """Take no notice of progress."""


def _go_on(planned: Events) -> None:
    """Take no notice of the plan."""


def _let_pass(checkpoint: Mapping[str, Any]) -> tuple[Notice, ...]:  # noqa: ARG001 - judges nothing
    """Say nothing of a state."""
    return ()


@dataclass(frozen=True, slots=True)
class Rails:
    """What holds for a run beside the engine's own rules.

    `settings` give the limits on removal and the folder of tenants. `archived` are the tenants the files archive.
    `allowed` says how many of a kind may go this time. `targets` are URNs the run is limited to; `refresh` has the
    engine ask the systems first. Each run's output goes to `log`. `on_state` judges the state, and what it wants of the
    systems, before the engine is asked; `on_planned` gets the plan before it is applied.
    """

    settings: Settings
    log: Path
    archived: frozenset[str] = frozenset()
    allowed: Mapping[str, int] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    refresh: bool = False
    on_progress: OnProgress = _ignore
    on_state: Callable[[Mapping[str, Any]], tuple[Notice, ...]] = _let_pass
    on_planned: Callable[[Events], None] = _go_on

    def arguments(self, engine: Engine) -> tuple[str, ...]:
        """Return what preview and run are both told."""
        targets = [argument for urn in self.targets for argument in ("--target", urn)]
        pack = engine.root / POLICY_PACK
        policies = ["--policy-pack", str(pack)] if (pack / "PulumiPolicy.yaml").is_file() else []
        if policies and (waivers := config_of(pack, self.settings.stack)) is not None:
            policies += ["--policy-pack-config", str(waivers)]
        return ("--suppress-outputs", *policies, *targets, *(["--refresh"] if self.refresh else []))


def guarded_preview(engine: Engine, lock: HeldLock, rails: Rails) -> Outcome:
    """Ask the engine what it would do, and judge that. Nothing is written: neither the state nor any system."""
    rails.log.parent.mkdir(parents=True, exist_ok=True)
    rails.log.write_text("", encoding="utf-8")
    checkpoint = engine.export_state()
    early = rails.on_state(checkpoint)
    if _refused(early):
        return Outcome(Status.REFUSED, Events(), early, rails.log)
    sources = _sources(engine, rails, checkpoint)
    run = run_engine(engine, lock, rails.log, rails.on_progress, "preview", *rails.arguments(engine))
    notices = (
        *early,
        *of_violations(run.events.violations),
        *check_plan(
            run.events.steps,
            read_known(checkpoint),
            rails.settings.changes.mass_removal,
            archived=rails.archived,
            allowed=rails.allowed,
            credentials=rails.settings.credentials,
        ),
        *_pending(checkpoint),
        *_stopped(lock, run),
    )
    plan = bind(engine.stack, sources, run.events.steps)
    status = Status.PLANNED if run.exit_code == 0 else Status.FAILED
    return Outcome(_refused(notices) or status, run.events, notices, rails.log, plan)


def guarded_up(engine: Engine, lock: HeldLock, rails: Rails, plan: BoundPlan | None = None) -> Outcome:
    """Preview, judge, and apply without another preview, as long as nothing moved in between.

    Nothing is applied where there is nothing to do: see `_nothing_to_do`.

    Args:
        engine: the stack, whose killed runs are settled (`usine.engine.recover`).
        lock: the lock of that stack (`usine.engine.lock.hold`).
        rails: what holds for this run.
        plan: what somebody looked at: anything else is refused.

    A failing resource stops neither the others nor the report. Raises EngineError when the engine cannot be asked.
    """
    if plan is not None:
        now = read_sources(engine, engine.root / rails.settings.projects)
        notices = (*other_stack(plan, engine.stack), *moved(plan.sources, now))
        if notices:
            return Outcome(Status.REFUSED, Events(), notices, rails.log)
    planned = guarded_preview(engine, lock, rails)
    if planned.plan is None or planned.status is not Status.PLANNED:
        return planned
    checkpoint = engine.export_state()
    now = _sources(engine, rails, checkpoint)
    notices = (
        *planned.notices,
        *(steps_moved(plan, planned.events.steps) if plan is not None else ()),
        # Another commit of the same content is no other plan: who looked at one, though, looked at that commit's.
        *moved(planned.plan.sources, now, ignore={"commit"}),
        *_stopped(lock),
    )
    if _refused(notices):
        return Outcome(Status.REFUSED, planned.events, notices, rails.log, planned.plan)
    if _nothing_to_do(engine, rails, planned, now, checkpoint):
        return Outcome(Status.APPLIED, planned.events, notices, rails.log, planned.plan, applying=True)
    rails.on_planned(planned.events)
    run = run_engine(
        engine,
        lock,
        rails.log,
        rails.on_progress,
        *("up", "--yes", "--skip-preview", "--continue-on-error"),
        *rails.arguments(engine),
    )
    told = {notice.text for notice in notices}
    since = (*of_violations(run.events.violations), *_stopped(lock, run))
    # What is said once systems were touched refuses nothing any more.
    notices += tuple(replace(n, severity=Severity.WARNING) for n in since if n.text not in told)
    if run.exit_code == 0:
        status = Status.APPLIED
        if not rails.targets:
            _record(engine, rails, now)
    else:
        status = Status.PARTIAL if any(step.done for step in run.events.changes) else Status.FAILED
    return Outcome(status, run.events, notices, rails.log, planned.plan, applying=True)


def _nothing_to_do(engine: Engine, rails: Rails, planned: Outcome, now: Sources, checkpoint: Mapping[str, Any]) -> bool:
    """Say whether a run would write nothing, neither to a system nor to the state.

    The preview must show that every resource stays, and the last complete run must have left this state with this
    program, these tenants and these settings: `usine.engine.applied` says why both are needed.
    """
    if rails.refresh or not planned.events.idle or _pending(checkpoint):
        return False
    return read_applied(engine) == applied_by(engine, now, checkpoint)


def _record(engine: Engine, rails: Rails, before: Sources) -> None:
    """Record a complete run, unless its files changed while it ran: nobody knows which of them the engine read."""
    with suppress(EngineError):
        checkpoint = engine.export_state()
        after = _sources(engine, rails, checkpoint)
        if not moved(before, after, ignore={"commit", "state"}):
            write_applied(engine, applied_by(engine, after, checkpoint))


def _sources(engine: Engine, rails: Rails, checkpoint: Mapping[str, object]) -> Sources:
    return read_sources(engine, engine.root / rails.settings.projects, checkpoint)


def _pending(checkpoint: Mapping[str, Any]) -> tuple[Notice, ...]:
    pending = (checkpoint.get("deployment") or {}).get("pending_operations") or ()
    if not pending:
        return ()
    text = f"a killed run left {len(pending)} unfinished operations: `usine up` settles them first"
    return (Notice("pending", Severity.WARNING, text, mend="no plan made before that can be applied after it"),)


def _refused(notices: Iterable[Notice]) -> Status | None:
    return Status.REFUSED if any(notice.refuses for notice in notices) else None


def _stopped(lock: HeldLock, run: Run | None = None) -> tuple[Notice, ...]:
    """Say why the engine was stopped before its end, if it was."""
    if lock.lost is not None:
        text = f"{lock.lost}; the engine was stopped, what it had begun is noted"
        return (Notice("lock-lost", Severity.ERROR, text, mend="the other run goes on from there; look at its report"),)
    if run is not None and run.interrupted:
        text = "interrupted; the engine was stopped, what it had begun is noted"
        return (Notice(INTERRUPTED, Severity.ERROR, text, mend="run it again"),)
    return ()
