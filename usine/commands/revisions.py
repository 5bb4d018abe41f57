"""What the commands about a change share: the two revisions, and the author of the change."""

from __future__ import annotations

import argparse
import datetime
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from usine.commands.common import DEFAULT_SETTINGS, ROOT
from usine.diff.cache import PlanCache, cache_folder
from usine.diff.change import Comparison, DiffError, find
from usine.diff.repository import WORKTREE


def add_revision_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options for the revisions and the author."""
    parser.add_argument(
        "--base",
        metavar="REV",
        help="revision to compare with "
        "(default: CI_MERGE_REQUEST_DIFF_BASE_SHA, or the merge base with the default branch)",
    )
    parser.add_argument(
        "--head", metavar="REV", default=WORKTREE, help="a revision, or worktree: the files on disk (default)"
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
        default=_who_started(os.environ),
        help="user name of the author of the change (default: GITLAB_USER_LOGIN, but not in the pipeline of a fork)",
    )
    parser.add_argument("--no-cache", action="store_true", help="plan everything again, and cache nothing")


def _who_started(variables: Mapping[str, str]) -> str | None:
    """Return the author of the change, as far as GitLab tells: the person who started the pipeline.

    A member who presses "Run pipeline" on the merge request of a fork starts it for somebody else (issue 11.A9).
    """
    source, target = variables.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID"), variables.get("CI_MERGE_REQUEST_PROJECT_ID")
    return variables.get("GITLAB_USER_LOGIN") if source == target else None


def find_change(args: argparse.Namespace) -> Comparison:
    """Compare the two revisions. Raises SpecError for a head with wrong files, DiffError for everything else."""
    cache = PlanCache(None if args.no_cache else cache_folder())
    return find(ROOT, args.base, args.head, _settings_in(ROOT, args.settings), cache)


def today() -> datetime.date:
    """Return the date for rules and waivers, in UTC."""
    return datetime.datetime.now(datetime.UTC).date()


def _settings_in(root: Path, file: Path) -> PurePosixPath:
    """Return the path of a settings file in the repository. Raises DiffError for a file outside."""
    try:
        return PurePosixPath((file.parent.resolve() / file.name).relative_to(root))
    except ValueError:
        raise DiffError(f"--settings {file}: not in the repository {root}") from None
