"""`usine new`: writes a first file for a tenant."""

from __future__ import annotations

import argparse
import getpass
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from model.archetypes import DEFAULT_ARCHETYPE
from model.problems import SpecError
from model.reading.fields import check_person, check_slug
from model.reading.load import check_text
from model.reading.settings_load import load_settings
from model.reading.template import Start, new_file
from model.settings import Settings
from model.texts import did_you_mean, show
from usine.commands.common import DEFAULT_SETTINGS, report_problems


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "new",
        help="write a commented file for a new tenant",
        description="Write a commented tenant file that passes `usine check`. Never overwrites a file.",
    )
    parser.add_argument("slug", metavar="SLUG", help="identifier in every tool: [a-z][a-z0-9-], 2 to 20 characters")
    parser.add_argument(
        "--archetype", metavar="A", help=f"archetype with the default values (default: {DEFAULT_ARCHETYPE})"
    )
    parser.add_argument("--owner", metavar="PERSON", help="user name of the owner (default: yours)")
    parser.add_argument("--settings", metavar="FILE", type=Path, default=DEFAULT_SETTINGS, help="default: %(default)s")
    parser.add_argument(
        "--projects", metavar="DIR", type=Path, help="folder to write to (default: the one in the settings)"
    )
    parser.add_argument("--stdout", action="store_true", help="print the file instead of writing it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file, or print why it cannot be written."""
    try:
        settings = load_settings(args.settings)
        start = Start(
            slug=_checked("", check_slug, args.slug),
            owner=_checked("--owner: ", check_person, _yourself() if args.owner is None else args.owner),
            archetype=DEFAULT_ARCHETYPE if args.archetype is None else args.archetype,
        )
        _check_archetype(start.archetype, settings)
        folder: Path = args.projects or args.settings.parent / settings.projects
        path = folder / f"{start.slug}.yaml"
        text = new_file(start, settings)
        check_text(text.encode(), str(path), settings)
        if args.stdout:
            sys.stdout.write(text)
            return 0
        # O_EXCL: a file that somebody else writes at the same time is not overwritten.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as stream:
            stream.write(text)
    except SpecError as error:
        return report_problems(error)
    except ValueError as error:
        return _refuse(str(error))
    except FileExistsError:
        return _refuse(f"{path} exists already and is not overwritten")
    except OSError as error:
        return _refuse(f"{path}: {error.strerror}")
    print(f"{path}: fill it in, then run: usine check")
    return 0


def _checked(where: str, check: Callable[[str], str], value: str) -> str:
    try:
        return check(value)
    except ValueError as error:
        raise ValueError(f"{where}{error}") from None


def _check_archetype(name: str, settings: Settings) -> None:
    if name not in settings.archetypes:
        raise ValueError(f"--archetype: no such archetype: {show(name)}; {did_you_mean(name, settings.archetypes)}")


def _yourself() -> str:
    """Return the caller's user name without characters that are not allowed; people correct the owner anyway."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # no account and no variable, as in some containers
        return "owner"
    return re.sub(r"^[^a-z0-9]+|[^a-z0-9._-]+", "", name.lower())[:63] or "owner"


def _refuse(message: str) -> int:
    print(f"usine new: {message}", file=sys.stderr)
    return 1
