"""`usine rotate`: the next step of a rotation of stored credentials, written to the settings file."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from model.problems import Problem, SpecError
from model.units import unit_of
from pulumi_facts.checkpoint import resources_of
from usine.clients import Connections
from usine.clients.connections import below
from usine.commands.common import ROOT, add_settings_argument, find_tenant, report_problems
from usine.commands.engine_stack import OpenStack, add_stack_argument, duration, open_stack, units_with_stacks
from usine.engine.cli import EngineError
from usine.fleet.layout import stack_of
from usine.rotation.progress import RotationStage
from usine.rotation.rotate import Decision, Facts, decide
from usine.rotation.settings_text import rewritten
from usine.rotation.usage import usage_reader

DONE, REFUSED, NOT_YET = 0, 1, 3

_EPILOG = """\
A rotation has two runs. `usine rotate` adds a generation, `usine up` creates it and hands it out; once nothing uses the
old one, `usine rotate` takes it out of the file, and `usine up` deletes it. Commit the file after each step.

exit code: 0 the file was changed, or there is nothing to rotate; 3 not yet: the file is not applied, or an old
credential may still be in use; 1 refused or failed.
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "rotate",
        help="take the next step of a rotation of stored credentials",
        description="Add a credential generation to the settings file, or take an old one out once nothing uses it. "
        "Reads the state and asks the systems; changes only the settings file. Continues where an earlier call ended.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_settings_argument(parser)
    add_stack_argument(parser)
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("slug", metavar="SLUG", nargs="?", help="the tenant")
    whose.add_argument("--all", action="store_true", help="all tenants of the stack, and the foundation")
    parser.add_argument("--continue", dest="start", action="store_false", help="do not begin another rotation")
    parser.add_argument(
        "--until", metavar="DATE", type=_date, help="last day of the new generation (default: that of its robots)"
    )
    parser.add_argument(
        "--grace",
        metavar="DURATION",
        type=duration,
        help="how long an old credential stays after its last use, or after the new one was handed out (default: 24h; "
        "tokens of package readers: 14 days)",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; show what would be written")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Take one step; see the epilog for the exit code."""
    try:
        stack = open_stack(args, any_layout=True)
        tenants = [tenant for tenant in stack.platform.tenants if stack.settings.selected(tenant.slug)]
        if args.slug is not None and find_tenant(tenants, args.slug, "rotate") is None:
            return REFUSED
        # In a fleet, tenants have stacks of their own.
        own = units_with_stacks(stack.engine)
        decision = decide(_facts(stack, own, args), args.slug, args.until, start=args.start)
        if decision.added or decision.removed:
            _write(args.settings, decision, check=args.check)
    except SpecError as error:
        return report_problems(error)
    except EngineError as error:
        print(f"usine rotate: {error}", file=sys.stderr)
        return REFUSED
    return _show(decision, args, "usine fleet up" if own else "usine up")


def _facts(stack: OpenStack, own: Iterable[str], args: argparse.Namespace) -> Facts:
    engine = stack.engine
    only = None if args.slug is None else unit_of(args.slug, stack.settings.fleet.shards)
    chosen = (None, *(unit for unit in own if only in {None, unit}))
    states = (replace(engine, stack=stack_of(engine.stack, unit)).export_state() for unit in chosen)
    connections = Connections(below(ROOT, stack.settings.endpoints), stack.engine.environment)
    return Facts(
        # Generations are those of the file that is edited, which the engine's file may follow later.
        stack.platform.settings,
        [resource for state in states for resource in resources_of(state)],
        usage_reader(connections),
        datetime.datetime.now(datetime.UTC),
        args.grace,
    )


def _write(path: Path, decision: Decision, *, check: bool) -> None:
    """Replace the settings file as a whole: an interrupted call leaves the old or the new one."""
    try:
        text = rewritten(path.read_text(encoding="utf-8"), str(path), decision.lists)
        if check:
            return
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_text(text, encoding="utf-8")
        beside.chmod(path.stat().st_mode)
        beside.replace(path)
    except OSError as error:
        raise SpecError([Problem(str(path), 1, 1, f"cannot be written: {error.strerror}")]) from None


def _show(decision: Decision, args: argparse.Namespace, apply: str) -> int:
    for one in decision.progress:
        for reason in one.reasons:
            print(f"{one.name}: {one.stage}: {reason}")
    whose = args.slug or "the platform"
    would = "would be " if args.check else ""
    if decision.added:
        last = f", good until {decision.added.until}" if decision.added.until else ""
        print(f"{args.settings}: generation {decision.added.name} of {whose}{last}: {would}added")
        print(f"next: commit the file, apply it with `{apply}`, and run `usine rotate` again")
        return DONE
    if decision.removed:
        print(f"{args.settings}: generation {', '.join(decision.removed)} of {whose}: {would}taken away")
        print(f"next: commit the file, and apply it with `{apply}`")
        return DONE
    if decision.idle:
        print(f"no rotation of {whose} is under way" + ("" if decision.progress else ": it has no stored credentials"))
        return DONE
    if any(one.stage is RotationStage.APPLY for one in decision.progress):
        print(f"not yet: the settings are not applied: run `{apply}`, and then `usine rotate` again")
    else:
        print("not yet: run `usine rotate` again later")
    return NOT_YET


def _date(text: str) -> datetime.date:
    try:
        found = datetime.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a date such as 2027-05-31, found {text!r}") from None
    if found <= datetime.datetime.now(datetime.UTC).date():
        raise argparse.ArgumentTypeError(f"expected a day after today, found {text}")
    return found
