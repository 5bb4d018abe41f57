"""`usine revoke`: ends a stored credential at once, and makes and hands out another one in the same run."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console

from model.problems import SpecError
from model.texts import did_you_mean
from pulumi_facts.checkpoint import resources_of
from pulumi_facts.urns import name_of
from usine.clients import ClientError, Connections
from usine.clients.connections import below
from usine.commands.common import ROOT, add_settings_argument, report_problems
from usine.commands.engine_stack import (
    OpenStack,
    add_stack_argument,
    add_wait_argument,
    facts,
    judge_systems,
    recover_stack,
)
from usine.commands.fleet_open import open_stack_of
from usine.commands.progress import watched
from usine.engine.cli import EngineError
from usine.engine.guarded import Guardrails, Outcome, Status, guarded_up
from usine.engine.lock import HeldLock, hold
from usine.engine.report import run_report
from usine.report import terminal
from usine.report.model import FOUNDATION, Report
from usine.rotation.revoke import Resource, credentials_of, delete, plan_revocation, prefix_of

_LOG = Path("out") / "revoke.log"
DONE, FAILED, INTERRUPTED = 0, 1, 130


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "revoke",
        help="end a stored credential at once, and make another one",
        description="For a credential that has leaked: end it in its system, then create it again with another "
        "value and hand that out, in one run. What still uses the old value fails. Run it again if it was interrupted.",
        epilog="exit code: 0 the old value is refused and a new one handed out, 1 refused or failed, 130 interrupted.",
    )
    add_settings_argument(parser)
    add_stack_argument(parser)
    add_wait_argument(parser)
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("slug", metavar="SLUG", nargs="?", help="the tenant")
    whose.add_argument("--foundation", action="store_true", help="a credential of the foundation, not of a tenant")
    parser.add_argument(
        "--credential",
        metavar="NAME",
        action="append",
        required=True,
        help="its name as reports show it, without the tenant or `foundation/`: harbor/robot/push-2026-2, or "
        "keycloak/client/harbor; repeatable",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Revoke what is named; see the epilog for the exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console()
    try:
        stack = open_stack_of(args, args.slug)
        with hold(stack.engine, wait=args.wait, say=_say) as lock:
            recovery = recover_stack(stack, lock, _say)
            resources = resources_of(recovery.checkpoint or stack.engine.export_state())
            chosen = _choose(args.slug, args.credential, resources)
            if chosen is None:
                return FAILED
            outcome = _revoke(stack, lock, chosen, resources, console)
        report = run_report(outcome, f"usine revoke: {args.slug or FOUNDATION}", facts(stack, lock), stack.notices)
    except SpecError as error:
        return report_problems(error)
    except (EngineError, ClientError) as error:
        print(f"usine revoke: {error}", file=sys.stderr)
        return FAILED
    return _show(report, outcome, console)


def _choose(slug: str | None, names: Sequence[str], resources: Sequence[Resource]) -> list[Resource] | None:
    """Return the named credentials; None, with a message for each, if one is not in the state."""
    known, owner = credentials_of(slug, resources), slug or "the foundation"
    asked = [name.removeprefix(prefix_of(slug)) for name in names]
    unknown = [name for name in asked if name not in known]
    for name in unknown:
        if known:
            print(f"usine revoke: {owner} has no credential {name!r}; {did_you_mean(name, known)}", file=sys.stderr)
        else:
            print(f"usine revoke: {owner} has no stored credential in the stack", file=sys.stderr)
    return None if unknown else [known[name] for name in dict.fromkeys(asked)]


def _revoke(
    stack: OpenStack, lock: HeldLock, chosen: Sequence[Resource], resources: Sequence[Resource], console: Console
) -> Outcome:
    plan = plan_revocation(chosen, resources)
    connections = Connections(below(ROOT, stack.settings.endpoints), stack.engine.environment)
    for resource in plan.objects:
        delete(resource, connections)
        _say(f"revoked: {name_of(str(resource['urn']))}")
    for resource in plan.by_hand:
        _say(f"to do: give the new secret of {name_of(str(resource['urn']))} to its tool (docs/rotation.md)")
    with watched(console) as on_progress:
        guardrails = Guardrails(
            stack.settings,
            ROOT / _LOG,
            stack.archived,
            targets=plan.targets,
            refresh=True,
            on_progress=on_progress,
            on_state=judge_systems(stack),
        )
        return guarded_up(stack.engine, lock, guardrails)


def _show(report: Report, outcome: Outcome, console: Console) -> int:
    terminal.render(report, console)
    if outcome.interrupted:
        return INTERRUPTED
    if outcome.status is Status.APPLIED:
        return DONE
    print("the old value is refused, but the new one is not handed out: run the same command again", file=sys.stderr)
    return FAILED


def _say(text: str) -> None:
    print(text, flush=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
