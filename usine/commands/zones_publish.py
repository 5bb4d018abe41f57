"""`usine zones publish`: one commit for all changes of a zone."""

from __future__ import annotations

import argparse
import sys

from model.problems import SpecError
from usine.clients.connections import Connections, below
from usine.commands.common import ROOT, add_settings_argument, report_problems
from usine.commands.engine_stack import (
    OpenStack,
    add_allowance_argument,
    add_stack_argument,
    add_wait_argument,
    open_stack,
)
from usine.engine.cli import EngineError
from usine.engine.lock import hold
from usine.engine.sources import read_sources
from usine.zones.publish import Publication, Publisher


def register(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "publish",
        help="commit the objects of the state to the repositories of zones",
        description="Compare the objects of the stack's state with the repository of each zone, and commit all changes "
        "of a zone at once. `usine up` does the same after a run. Exit code: 0 done, 1 a zone was not published.",
    )
    add_settings_argument(parser)
    add_stack_argument(parser)
    add_allowance_argument(parser)
    add_wait_argument(parser)
    parser.add_argument("--dry-run", action="store_true", help="commit nothing; show how many files would change")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Publish all zones of the stack."""
    try:
        stack = open_stack(args)
        # A run of `usine up` at the same time changes the state.
        with hold(stack.engine, wait=args.wait, say=print):
            done = publish(stack, dict(args.allow_removals), dry_run=args.dry_run)
    except SpecError as error:
        return report_problems(error)
    except EngineError as error:
        print(f"usine zones publish: {error}", file=sys.stderr)
        return 1
    if not done:
        print("no cluster of the settings pulls its objects")
    for one in done:
        shown = f"zone {one.zone}: {one.changes} files would change" if args.dry_run and not one.problem else one.text
        print(shown, file=sys.stderr if one.problem else sys.stdout)
    return 1 if any(one.problem for one in done) else 0


def publish(stack: OpenStack, allowed: dict[str, int], *, dry_run: bool = False) -> tuple[Publication, ...]:
    """Publish what the state of a stack has. Raises EngineError if the state cannot be read."""
    if not stack.settings.pulling_zones:
        return ()
    checkpoint = stack.engine.export_state()
    publisher = Publisher(
        stack.settings,
        stack.engine.stack,
        tuple(tenant.slug for tenant in stack.platform.tenants),
        Connections(below(ROOT, stack.settings.endpoints), stack.engine.environment),
        {**stack.allowed, **allowed},
        stack.archived,
        dry_run,
    )
    return publisher.publish(checkpoint, read_sources(stack.engine, ROOT / stack.settings.projects, checkpoint))
