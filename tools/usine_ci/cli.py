"""The command line. Each module of `usine_ci.commands` is a subcommand, under its name with dashes.

A command's docstring begins with its one-line help. It has `arguments(parser)`, which declares the options, and
`run(options)`, which returns the exit code: 0, or 1 if the job must be red. It raises `RefusedError` for everything
that is wrong with its input or its tools: exit 2. A traceback is a defect.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import Final, Protocol, cast

from usine_ci import commands
from usine_ci.problems import RefusedError
from usine_ci.text import clean

#: The exit code for wrong input; argparse has the same for wrong options.
REFUSED: Final = 2


class Command(Protocol):
    """What a module of `usine_ci.commands` has."""

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""

    def run(self, options: argparse.Namespace) -> int:
        """Do the work and return the exit code."""


def names() -> tuple[str, ...]:
    """Return the subcommands."""
    return tuple(sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Only the module that runs is imported: a job needs one of them.
    wanted = [given[0]] if given and given[0] in names() else list(names())
    parser = argparse.ArgumentParser(prog="usine-ci", description=__doc__.splitlines()[0], allow_abbrev=False)
    subcommands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    modules: dict[str, Command] = {}
    for name in wanted:
        module = importlib.import_module(f"{commands.__name__}.{name.replace('-', '_')}")
        text = module.__doc__ or ""
        modules[name] = cast("Command", module)  # a module has no type of its own; a test looks at each
        modules[name].arguments(
            subcommands.add_parser(
                name,
                help=text.split("\n", 1)[0],
                description=text,
                formatter_class=argparse.RawDescriptionHelpFormatter,
                allow_abbrev=False,
            )
        )
    options = parser.parse_args(given)
    try:
        return modules[options.command].run(options)
    except RefusedError as refused:
        lines: tuple[str, ...] = refused.lines
    except OSError as error:
        lines = (clean(f"{error.filename or options.command}: {error.strerror or error}"),)
    print(*lines, sep="\n", file=sys.stderr)
    return REFUSED
