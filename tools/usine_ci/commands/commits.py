"""Print the commits of this pipeline, as a range of `git log`: of the merge request, the push or the new branch.

It reads GitLab's variables. Where nothing says what is new, the range is the whole history of the commit.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
from collections.abc import Mapping
from typing import Final

from usine_ci.problems import RefusedError

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no options."""
    del parser


def run(options: argparse.Namespace) -> int:
    """Print the range."""
    del options
    if _git("rev-parse", "--is-shallow-repository") != "false":
        raise RefusedError('the clone has a part of the history only: set GIT_DEPTH: "0" for this job')
    print(commits(os.environ))
    return 0


def commits(variables: Mapping[str, str]) -> str:
    """Return the range. The variables are the pipeline's; a branch is only used where git knows it."""
    head = _known(variables.get("CI_COMMIT_SHA", "")) or _known("HEAD")
    if not head:
        raise RefusedError("no commit here: run this in a clone")
    for base in (
        variables.get("CI_MERGE_REQUEST_DIFF_BASE_SHA", ""),
        # After a forced push, the commit before is no ancestor, and after a while it is not there any more.
        _ancestor(variables.get("CI_COMMIT_BEFORE_SHA", ""), head),
    ):
        if _COMMIT.fullmatch(base) and _known(base):
            return f"{base}..{head}"
    default = variables.get("CI_DEFAULT_BRANCH", "")
    trunk = _known(f"refs/remotes/origin/{default}") if default != variables.get("CI_COMMIT_BRANCH") else ""
    return f"{trunk}..{head}" if trunk else head


def _ancestor(commit: str, head: str) -> str:
    known = _COMMIT.fullmatch(commit) and _known(commit)
    return commit if known and _git("merge-base", commit, head) == commit else ""


def _known(revision: str) -> str:
    return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}") if revision else ""


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
