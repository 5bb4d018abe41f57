"""`pulumi up` and `pulumi preview` with guards on the engine's plan and on the sources it was made from."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from model.settings import Settings
from policy.config import config_of
from pulumi_facts.checkpoint import pending_of
from usine.engine.applied import applied_by, read_applied, write_applied
from usine.engine.binding import BoundPlan, bind, moved, other_stack, steps_moved
from usine.engine.cli import Engine, EngineError
from usine.engine.events import Events, Failure
from usine.engine.guard import check_plan, of_violations, read_known
from usine.engine.lock import HeldLock
from usine.engine.run import OnProgress, Run, run_engine
from usine.engine.sources import Sources, read_sources
from usine.engine.stored import expiry_notices, stored_credentials
from usine.report.ids import NoticeId
from usine.report.model import Notice, Severity, StoredCredential

#: The folder of the policy pack, if the checkout has one.
POLICY_PACK = "policy"


class Status(enum.StrEnum):
    """How a run ended. ``planned``: its plan may be applied; ``partial``: some resources failed, others are done."""

    PLANNED = "planned"
    APPLIED = "applied"
    REFUSED = "refused"
    FAILED = "failed"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a guarded run.

    `plan` has the engine's planned steps, bound to their sources; None when the engine was not started. `applying`: the
    engine may have changed something, and `events` are those of the run; otherwise they are those of the preview.
    `notices` has the reasons of a refusal, and remarks. `log` is the file with the engine's output. `credentials` are
    those of the state before the run.
    """

    status: Status
    events: Events
    notices: tuple[Notice, ...]
    log: Path
    plan: BoundPlan | None = None
    applying: bool = False
    credentials: tuple[StoredCredential, ...] = ()

    @property
    def interrupted(self) -> bool:
        """Whether somebody interrupted the run."""
        return any(notice.rule == NoticeId.INTERRUPTED for notice in self.notices)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The resources that failed."""
        return self.events.failures


def _ignore(planned: int, done: int) -> None:
    """Ignore the progress."""


def _go_on(planned: Events) -> None:
    """Ignore the plan."""


def _let_pass(checkpoint: Mapping[str, Any]) -> tuple[Notice, ...]:  # noqa: ARG001 - the default checks nothing
    """Return no notice."""
    return ()


@dataclass(frozen=True, slots=True)
class Guardrails:
    """Limits and options of a run.

    `settings` has the limits of removals and the folder of tenants. `archived` are the tenants whose files have
    `state: archived`. `allowed` is how many objects of a kind this run may remove. `targets` are the URNs that the run
    is limited to; `refresh` makes the engine read the live objects first. The engine's output is written to `log`.
    `on_state` checks the state and the systems before the engine starts, `on_planned` receives the plan before it is
    applied.
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
        """Return the command line arguments of both preview and `up`."""
        targets = [argument for urn in self.targets for argument in ("--target", urn)]
        pack = engine.root / POLICY_PACK
        policies = ["--policy-pack", str(pack)] if (pack / "PulumiPolicy.yaml").is_file() else []
        if policies and (waivers := config_of(pack, self.settings.stack)) is not None:
            policies += ["--policy-pack-config", str(waivers)]
        return ("--suppress-outputs", *policies, *targets, *(["--refresh"] if self.refresh else []))


def guarded_preview(
    engine: Engine, lock: HeldLock, guardrails: Guardrails, checkpoint: Mapping[str, Any] | None = None
) -> Outcome:
    """Run the engine's preview and check its plan. Neither the state nor a system changes.

    `checkpoint` is the state, if it was exported already.
    """
    guardrails.log.parent.mkdir(parents=True, exist_ok=True)
    guardrails.log.write_text("", encoding="utf-8")
    if checkpoint is None:
        checkpoint = engine.export_state()
    early = guardrails.on_state(checkpoint)
    if _refused(early):
        return Outcome(Status.REFUSED, Events(), early, guardrails.log)
    sources = _sources(engine, guardrails, checkpoint)
    run = run_engine(engine, lock, guardrails.log, guardrails.on_progress, "preview", *guardrails.arguments(engine))
    credentials = stored_credentials(checkpoint)
    changing = frozenset((step.address.type, step.address.name) for step in run.events.steps)
    notices = (
        *early,
        *of_violations(run.events.violations),
        *check_plan(
            run.events.steps,
            read_known(checkpoint),
            guardrails.settings.changes.mass_removal,
            archived=guardrails.archived,
            allowed=guardrails.allowed,
            generations=guardrails.settings.generations_of,
        ),
        *_pending(checkpoint),
        *expiry_notices(credentials, datetime.datetime.now(datetime.UTC), changing),
        *_stopped(lock, run),
    )
    plan = bind(engine.stack, sources, run.events.steps)
    status = Status.PLANNED if run.exit_code == 0 else Status.FAILED
    return Outcome(_refused(notices) or status, run.events, notices, guardrails.log, plan, credentials=credentials)


def guarded_up(
    engine: Engine,
    lock: HeldLock,
    guardrails: Guardrails,
    plan: BoundPlan | None = None,
    checkpoint: Mapping[str, Any] | None = None,
) -> Outcome:
    """Preview, check the plan, and apply it without another preview, if no source has changed since.

    The engine does not run a second time when there is nothing to do: see `_nothing_to_do`.

    Args:
        engine: the stack, after recovery of an interrupted run (`usine.engine.recover`).
        lock: the lock of that stack (`usine.engine.lock.hold`).
        guardrails: limits and options of this run.
        plan: the plan that somebody reviewed; every other plan is refused.
        checkpoint: the state, if it was exported already. It is read again before the plan is applied.

    When a resource fails, the run goes on with those that do not depend on it. Raises EngineError when the engine
    cannot run.
    """
    if plan is not None:
        now = read_sources(engine, engine.root / guardrails.settings.projects, checkpoint)
        notices = (*other_stack(plan, engine.stack), *moved(plan.sources, now))
        if notices:
            return Outcome(Status.REFUSED, Events(), notices, guardrails.log)
    planned = guarded_preview(engine, lock, guardrails, checkpoint)
    if planned.plan is None or planned.status is not Status.PLANNED:
        return planned
    checkpoint = engine.export_state()
    now = _sources(engine, guardrails, checkpoint)
    notices = (
        *planned.notices,
        *(steps_moved(plan, planned.events.steps) if plan is not None else ()),
        # Another commit with the same files gives the same plan. A bound plan was reviewed at its own commit, see
        # above.
        *moved(planned.plan.sources, now, ignore={"commit"}),
        *_stopped(lock),
    )
    if _refused(notices):
        return Outcome(Status.REFUSED, planned.events, notices, guardrails.log, planned.plan)
    if _nothing_to_do(engine, guardrails, planned, now, checkpoint):
        return replace(planned, status=Status.APPLIED, notices=notices, applying=True)
    guardrails.on_planned(planned.events)
    run = run_engine(
        engine,
        lock,
        guardrails.log,
        guardrails.on_progress,
        *("up", "--yes", "--skip-preview", "--continue-on-error"),
        *guardrails.arguments(engine),
    )
    known = {notice.text for notice in notices}
    since = (*of_violations(run.events.violations), *_stopped(lock, run))
    # A notice that comes after something was applied cannot refuse the run.
    notices += tuple(replace(n, severity=Severity.WARNING) for n in since if n.text not in known)
    if run.exit_code == 0:
        status = Status.APPLIED
        if not guardrails.targets:
            _record(engine, guardrails, now)
    else:
        status = Status.PARTIAL if any(step.done for step in run.events.changes) else Status.FAILED
    return replace(planned, status=status, events=run.events, notices=notices, applying=True)


def _nothing_to_do(
    engine: Engine, guardrails: Guardrails, planned: Outcome, now: Sources, checkpoint: Mapping[str, Any]
) -> bool:
    """Return whether a run would write nothing, neither to a system nor to the state.

    The preview must show that no resource changes, and the last complete run must have ended with this state, program,
    tenants and settings: `usine.engine.applied` has the reason why both are needed.
    """
    if guardrails.refresh or not planned.events.idle or _pending(checkpoint):
        return False
    return read_applied(engine) == applied_by(engine, now, checkpoint)


def _record(engine: Engine, guardrails: Guardrails, before: Sources) -> None:
    """Record a complete run, unless its files changed meanwhile: the engine may have read the old or the new ones."""
    with suppress(EngineError):
        checkpoint = engine.export_state()
        after = _sources(engine, guardrails, checkpoint)
        if not moved(before, after, ignore={"commit", "state"}):
            write_applied(engine, applied_by(engine, after, checkpoint))


def _sources(engine: Engine, guardrails: Guardrails, checkpoint: Mapping[str, object]) -> Sources:
    return read_sources(engine, engine.root / guardrails.settings.projects, checkpoint)


def _pending(checkpoint: Mapping[str, Any]) -> tuple[Notice, ...]:
    pending = pending_of(checkpoint)
    if not pending:
        return ()
    text = f"an interrupted run left {len(pending)} unfinished operations: `usine up` recovers them first"
    return (
        Notice(NoticeId.PENDING, Severity.WARNING, text, remedy="a plan made before that cannot be applied afterwards"),
    )


def _refused(notices: Iterable[Notice]) -> Status | None:
    return Status.REFUSED if any(notice.refuses for notice in notices) else None


def _stopped(lock: HeldLock, run: Run | None = None) -> tuple[Notice, ...]:
    """Return a notice when the engine was stopped before it had finished."""
    if lock.lost is not None:
        text = f"{lock.lost}; the engine was stopped, and the state has the operations that it had begun"
        return (
            Notice(
                NoticeId.LOCK_LOST, Severity.ERROR, text, remedy="the other run continues from there; see its report"
            ),
        )
    if run is not None and run.interrupted:
        text = "interrupted; the engine was stopped, and the state has the operations that it had begun"
        return (Notice(NoticeId.INTERRUPTED, Severity.ERROR, text, remedy="run it again"),)
    return ()
