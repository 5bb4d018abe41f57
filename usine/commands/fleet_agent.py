"""`usine fleet agent`: answer the agent of the Pulumi Kubernetes Operator, which calls it as `pulumi`.

The agent uses the Automation API (sdk/go/auto of Pulumi 3.259): it selects the stack, calls `preview` or `up`, and
reads outputs and history. Its preview fails without one summary event.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from rich.console import Console

from model.problems import SpecError
from usine.commands import fleet_up
from usine.commands.common import ROOT, report_problems
from usine.commands.engine_stack import run_id
from usine.commands.fleet_open import Fleet, add_fleet_arguments, open_fleet
from usine.engine.cli import EngineError
from usine.engine.moving import refuse_unfinished_move
from usine.fleet.layout import stack_of
from usine.fleet.records import Result, RunRecord
from usine.fleet.running import Workers
from usine.report import terminal
from usine.report.model import Action, Report

_UP, _PREVIEW = "up", "preview"
_SCHEME: Final = "tcp://"
#: The engine's words for what a report counts.
_OPERATIONS: Final = {
    Action.CREATED: "create",
    Action.CHANGED: "update",
    Action.REPLACED: "replace",
    Action.DESTROYED: "delete",
}


def register(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "agent",
        help="answer the agent of the Pulumi Kubernetes Operator in place of `pulumi`",
        description="Run the preview or the run that the agent asks `pulumi` for as a guarded one, of one stack, and "
        "refuse everything else. `bin/operator/pulumi` calls it.",
    )
    add_fleet_arguments(parser)
    parser.add_argument(
        "--tenant", metavar="NAME", help="the tenant or the shard of the stack (default: the foundation)"
    )
    parser.add_argument("--run", metavar="ID", dest="run_id", type=run_id, help="the id of the run of the fleet")
    parser.add_argument(
        "--mode", choices=(_PREVIEW, _UP), required=True, help="preview: refuse `up`, whatever the resource asks for"
    )
    parser.add_argument("words", metavar="-- ARGUMENT", nargs=argparse.REMAINDER, help="the arguments of `pulumi`")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer one call; the exit code is the one that the agent gets."""
    words = [word for word in args.words if word not in {"--", "--non-interactive"}]
    try:
        return _answer(args, words)
    except SpecError as error:
        return report_problems(error)
    except (EngineError, OSError) as error:
        return _refuse(str(error))


def _answer(args: argparse.Namespace, words: Sequence[str]) -> int:
    stack = stack_of(args.stack, args.tenant)
    asked = _value(words, "--stack")
    if asked not in {None, stack}:
        return _refuse(f"this workspace is for the stack {stack}")
    match tuple(words[:2]):
        case ("stack", "select"):
            return 0  # a preview and a run create the stack
        case ("stack", "ls"):
            # Not asked of the engine: it would read the states of all stacks.
            print(json.dumps([{"name": stack, "current": True, "updateInProgress": False}]))
        case ("stack", "output"):
            print("{}")  # the operator would write them to a Secret
        case ("stack", "history"):
            last = open_fleet(args).records.run(args.tenant)
            print(json.dumps([] if last is None else [_summary(last)]))
        case ("preview", *_):
            return _preview(args, words)
        case ("up", *_) if args.mode == _UP:
            return _up(args, words)
        case ("up", *_):
            return _refuse("this workspace only previews")
        case _:
            return _refuse(f"`pulumi {' '.join(words[:2])}` is not part of a guarded run")
    return 0


def _up(args: argparse.Namespace, words: Sequence[str]) -> int:
    """Run the stack as `usine fleet up` does, if it needs a run and none waits for it."""
    parser = argparse.ArgumentParser()
    fleet_up.register(parser.add_subparsers())
    part = ["--only", "foundation"] if args.tenant is None else ["--only", "tenants", "--among", args.tenant]
    run = ["--run", args.run_id] if args.run_id else []
    arguments = parser.parse_args(["up", "--stack", args.stack, "--settings", str(args.settings), *part, *run])
    code, waiting = fleet_up.run_fleet(arguments)
    _tell(words, {})
    why = {one.task.unit: one.why for one in waiting}.get(args.tenant)
    return _refuse(f"the stack was not run, {why}") if code == 0 and why else code


def _preview(args: argparse.Namespace, words: Sequence[str]) -> int:
    """Make a guarded preview of the stack. Raises EngineError."""
    fleet = open_fleet(args)
    refuse_unfinished_move(fleet.records.storage, fleet.layout.base)
    fleet.check_layout([args.tenant])
    last = fleet.records.run(args.tenant)
    if args.tenant is not None and args.tenant not in fleet.layout.units and last is None:
        return _refuse(f"{args.tenant} has neither a file nor a stack")
    if why := fleet.pinned.problems.get(args.tenant or ""):
        return _refuse(why)
    code, report = _previewed(fleet, args.tenant, last)
    if report is not None:
        terminal.render(report, Console())
    _tell(words, {} if report is None else {_OPERATIONS[a]: n for a, n in report.counts().items() if a in _OPERATIONS})
    return code


def _previewed(fleet: Fleet, unit: str | None, last: RunRecord | None) -> tuple[int, Report | None]:
    workers = Workers(1, ROOT, fleet.variables)
    with workers.interruptible():
        version = fleet.pinned.versions.get(unit or "")
        for done in workers.run([fleet.job(unit, last, _PREVIEW, version=version)]):
            if done.report is None:
                print(done.reason, file=sys.stderr)
            return done.exit_code, done.report
    return 130, None


def _tell(words: Sequence[str], changes: Mapping[str, int]) -> None:
    """Send the summary to the caller, if it listens (`--event-log tcp://…`, as the engine does since 3.206)."""
    address = _value(words, "--event-log") or ""
    if not address.startswith(_SCHEME):
        return
    # Pulumi's SDK takes 0.3 s, which no other command of `usine` waits for.
    import grpc  # type: ignore[import-untyped]  # noqa: PLC0415 - no stubs; late, because it is slow
    from pulumi.runtime.proto import events_pb2, events_pb2_grpc  # noqa: PLC0415 - late, because it is slow

    summary = {"maybeCorrupt": False, "durationSeconds": 0, "resourceChanges": changes, "PolicyPacks": {}}
    event = {"sequence": 0, "timestamp": int(time.time()), "summaryEvent": summary}
    with grpc.insecure_channel(address.removeprefix(_SCHEME)) as channel:
        stub = events_pb2_grpc.EventsStub(channel)
        stub.StreamEvents(iter([events_pb2.EventRequest(event=json.dumps(event))]))


def _summary(last: RunRecord) -> dict[str, Any]:
    """Return the last run of the stack as the engine lists it."""
    began = last.ended - datetime.timedelta(seconds=last.seconds)
    return {
        "kind": "update",
        "startTime": _time(began),
        "endTime": _time(last.ended),
        "message": last.text,
        "environment": {},
        "config": {},
        "result": "succeeded" if last.result is Result.APPLIED else "failed",
    }


def _time(moment: datetime.datetime) -> str:
    return f"{moment.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def _value(words: Sequence[str], option: str) -> str | None:
    """Return the value of an option, as one word or as two."""
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        if word == option:
            return following
        if word.startswith(f"{option}="):
            return word.removeprefix(f"{option}=")
    return None


def _refuse(why: str) -> int:
    print(f"usine fleet agent: {why}", file=sys.stderr)
    return 1
