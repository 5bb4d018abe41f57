"""The `usine` command: one sub-command for each module of `usine.commands`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

from usine import __version__

#: Modules of `usine.commands`, in the order of the help text. Each has `register(subparsers)`, which sets `run=`.
COMMANDS = (
    "check",
    "schema",
    "new",
    "explain",
    "plan",
    "diff",
    "preview",
    "up",
    "drift",
    "fleet",
    "move",
    "zones",
    "rotate",
    "revoke",
    "rules",
    "verify",
    "restore",
    "codeowners",
    "catalogue",
    "comment",
)
#: Other installed projects add commands: an entry point of this group has the command's name and refers to such a
#: module.
_GROUP = "usine.commands"


def build_parser(commands: Sequence[str] = COMMANDS, *, installed: bool = True) -> argparse.ArgumentParser:
    """Return the parser with these sub-commands and those of other installed projects."""
    parser = argparse.ArgumentParser(
        prog="usine",
        description="The software factory as code.",
        epilog="`usine lab`, the local platform, is a separate project: `make venv-dev` installs it.",
    )
    parser.add_argument("--version", action="version", version=f"usine {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in commands:
        importlib.import_module(f"usine.commands.{name}").register(subparsers)
    if installed:
        for entry in entry_points(group=_GROUP):
            entry.load().register(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 refused or failed, 2 wrong usage."""
    words = list(sys.argv[1:] if argv is None else argv)
    # Importing the provider SDKs takes a second or two, so only the requested command is imported.
    asked = words[:1] if words[:1] and words[0] in COMMANDS else ()
    args = (build_parser(asked, installed=False) if asked else build_parser()).parse_args(words)
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
