"""`usine check`: is every tenant file as it must be?"""

from __future__ import annotations

import argparse
import sys

from usine.commands.common import add_platform_arguments, read_platform
from usine.spec.problems import SpecError, render_json, render_text


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "check",
        help="check every tenant file, and say everything that is wrong",
        description="Check the settings and every tenant file. Needs no credential and no network. "
        "Exit code 0 without problems, 1 with.",
    )
    add_platform_arguments(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check, and print every problem, or one line that there is none."""
    try:
        count = len(read_platform(args).projects)
    except SpecError as error:
        _print(render_json(error.problems) if args.format == "json" else render_text(error.problems))
        return 1
    if args.format == "json":
        _print(render_json(()))
    else:
        _print(f"{count} {'project' if count == 1 else 'projects'}, no problem")
    return 0


def _print(text: str) -> None:
    """Print, also on a terminal that lacks a character."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))
