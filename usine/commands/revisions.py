"""What commands that look at a change have in common: between which revisions, in whose name."""

from __future__ import annotations

import argparse
import datetime
import os
from pathlib import Path, PurePosixPath

from usine.commands.common import DEFAULT_SETTINGS, ROOT
from usine.diff.cache import PlanCache, cache_folder
from usine.diff.change import Comparison, DiffError, find
from usine.diff.repository import WORKTREE


def add_revision_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say so."""
    parser.add_argument(
        "--base",
        metavar="REV",
        help="compare with this (default: CI_MERGE_REQUEST_DIFF_BASE_SHA, else where the head left the default branch)",
    )
    parser.add_argument(
        "--head", metavar="REV", default=WORKTREE, help="a revision, or worktree: files as they are (default)"
    )
    parser.add_argument(
        "--settings",
        metavar="FILE",
        type=Path,
        default=DEFAULT_SETTINGS,
        help="settings file of the repository; each side has its own version of it (default: %(default)s)",
    )
    parser.add_argument(
        "--author",
        metavar="NAME",
        default=os.environ.get("GITLAB_USER_LOGIN"),
        help="user name of who asks for the change (default: GITLAB_USER_LOGIN)",
    )
    parser.add_argument("--no-cache", action="store_true", help="plan everything anew, and keep nothing")


def find_change(args: argparse.Namespace) -> Comparison:
    """Compare what the arguments name. Raises SpecError for a wrong head, DiffError for everything else."""
    cache = PlanCache(None if args.no_cache else cache_folder())
    return find(ROOT, args.base, args.head, _settings_in(ROOT, args.settings), cache)


def today() -> datetime.date:
    """Return the day rules and waivers go by: UTC's."""
    return datetime.datetime.now(datetime.UTC).date()


def _settings_in(root: Path, file: Path) -> PurePosixPath:
    """Return the place of a settings file in the repository. Raises DiffError for one outside."""
    try:
        return PurePosixPath((file.parent.resolve() / file.name).relative_to(root))
    except ValueError:
        raise DiffError(f"--settings {file}: not in the repository {root}") from None
