"""`usine codeowners`: writes the CODEOWNERS file from the tenant files."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from model.problems import SpecError
from usine.codeowners import CODEOWNERS, render
from usine.commands.common import add_platform_arguments, read_platform, report_problems


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "codeowners",
        help="write the CODEOWNERS file from the tenant files",
        description="Write who approves a change of which file, in GitLab's syntax: a tenant's owner, admins and the "
        "platform team for the tenant's file, the platform team (usine:changes.platformOwners) for every other file. "
        "Exit code: 0 done; with --check, 1 when it is not up to date.",
    )
    add_platform_arguments(parser)
    parser.add_argument("--check", action="store_true", help="write nothing; report whether the file is up to date")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file beside the settings, or compare it with what would be written."""
    try:
        platform = read_platform(args)
    except SpecError as error:
        return report_problems(error)
    wanted = render(platform.tenants, platform.settings).encode()
    path: Path = args.settings.parent / CODEOWNERS
    try:
        found = path.read_bytes() if path.exists() else b""
        if args.check:
            return _compare(path, found, wanted)
        if found != wanted:
            # Replaced atomically: a reader never sees half a file.
            beside = path.with_name(f".{path.name}.{os.getpid()}")
            beside.write_bytes(wanted)
            beside.replace(path)
    except OSError as error:
        print(f"usine codeowners: {path}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"{path}: {'unchanged' if found == wanted else 'written'}")
    return 0


def _compare(path: Path, found: bytes, wanted: bytes) -> int:
    if found == wanted:
        print(f"{path}: up to date")
        return 0
    print(
        f"{path}:{_first_difference(found, wanted)}:1: does not match the tenant files: run usine codeowners",
        file=sys.stderr,
    )
    return 1


def _first_difference(found: bytes, wanted: bytes) -> int:
    """Return the number of the first line that differs; the first line has number 1."""
    ours, theirs = wanted.splitlines(), found.splitlines()
    same = next((n for n, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), None)
    return 1 + (min(len(ours), len(theirs)) if same is None else same)
