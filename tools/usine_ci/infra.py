"""The Git repository that deploys: its branches, and the commits that promotions make.

The token is only in the environment of `git`, whose helper answers with it for this one server.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from usine_ci.problems import RefusedError
from usine_ci.text import clean

#: How often a push is tried again after somebody else's push to the same branch.
ATTEMPTS: Final = 6
_NAME: Final = "Usine"
_HELPER: Final = '!f() { test "$1" = get && printf "username=usine\\npassword=%s\\n" "$DEPLOY_TOKEN"; }; f'
#: What git says when the branch moved since it was fetched: another promotion was faster.
_MOVED: Final = re.compile(
    r"\((?:fetch first|non-fast-forward|stale info|already exists|failed to update ref|incorrect old value provided|"
    r"reference already exists|cannot lock ref[^)]*|needs force)\)"
)
_WARNING: Final = re.compile(r"remote:\s*(?:GitLab: )?Error encountered with push options.*?: (.*)")
_LINK: Final = re.compile(r"remote:\s+(https?://\S+/-/merge_requests/\S+)")


class MovedError(Exception):
    """The branch is no longer where it was: fetch, and try again."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the server answered to a push: the address of the merge request, if it named one."""

    link: str | None


class InfraRepository:
    """A fresh copy of the repository, without a work tree."""

    def __init__(self, server: str, path: str, token: str, folder: Path) -> None:
        """Prepare the copy in an empty folder. `path` is the project's full path on the server."""
        self._url = f"{server.rstrip('/')}/{path}.git"
        self._folder = folder
        self.email = f"usine-deploy@{urlsplit(server).hostname}"
        self._environment = {
            **os.environ,
            "DEPLOY_TOKEN": token,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"credential.{server.rstrip('/')}.helper",
            "GIT_CONFIG_VALUE_0": _HELPER,
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
            **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), _NAME),
            **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), self.email),
        }
        self._must("init", "--quiet", "--bare")

    def fetch(self) -> None:
        """Fetch the present branches, and which one is the default."""
        self._must("fetch", "--quiet", "--prune", "--force", "--no-tags", self._url, "+refs/heads/*:refs/heads/*")
        head = re.search(r"^ref: (refs/heads/\S+)\tHEAD$", self._must("ls-remote", "--symref", self._url, "HEAD"), re.M)
        if head is None:
            raise RefusedError(f"{self._url} has no default branch: it is empty")
        self._must("symbolic-ref", "HEAD", head[1])

    @property
    def default_branch(self) -> str:
        """The default branch."""
        return self._must("symbolic-ref", "--short", "HEAD").strip()

    def branches(self, below: str) -> list[str]:
        """Return the branches below a prefix, such as `promote/`."""
        return self._must("for-each-ref", "--format=%(refname:lstrip=2)", f"refs/heads/{below}").split()

    def head(self, branch: str) -> str | None:
        """Return the commit of a branch; None if there is no such branch."""
        done = self._run("rev-parse", "--quiet", "--verify", f"refs/heads/{branch}^{{commit}}")
        return done.stdout.strip() if done.returncode == 0 else None

    def tree(self, commit: str) -> str:
        """Return the id of a commit's tree."""
        return self._must("rev-parse", f"{commit}^{{tree}}").strip()

    def read(self, commit: str, path: str) -> str | None:
        """Return the text of a file; None if there is none."""
        if not self._must("ls-tree", "--name-only", commit, "--", path).strip():
            return None
        return self._must("cat-file", "blob", f"{commit}:{path}")

    def is_ancestor(self, commit: str, of: str) -> bool:
        """Return whether `of` contains a commit."""
        return self._run("merge-base", "--is-ancestor", commit, of).returncode == 0

    def made_by_us(self, commit: str) -> bool:
        """Return whether a promotion made the commit."""
        return self._must("show", "--no-patch", "--format=%ce", commit).strip() == self.email

    def tree_with(self, commit: str, files: Mapping[str, str]) -> str:
        """Return the id of a commit's tree with these files."""
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._must("read-tree", commit, more=index)
            for path, text in files.items():
                blob = self._must("hash-object", "-w", "--stdin", given=text).strip()
                self._must("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", more=index)
            return self._must("write-tree", more=index).strip()

    def commit(self, tree: str, parents: Sequence[str], message: str) -> str:
        """Return a new commit."""
        listed = (part for parent in parents for part in ("-p", parent))
        return self._must("commit-tree", tree, *listed, "-F", "-", given=message).strip()

    def push(self, commit: str, branch: str, *, replaces: str | None = None, options: Sequence[str] = ()) -> Pushed:
        """Push a commit. Without `replaces`, only to a branch that the commit contains.

        With `replaces`, the branch must be at that commit; an empty text stands for a branch that does not exist.
        Raises MovedError if the branch moved, RefusedError for any other refusal.
        """
        ref = f"refs/heads/{branch}"
        lease = [] if replaces is None else [f"--force-with-lease={ref}:{replaces}"]
        given = [f"--push-option={option}" for option in options]
        return self._answer(branch, "push", "--porcelain", *lease, *given, self._url, f"{commit}:{ref}")

    def delete(self, branch: str, at: str) -> None:
        """Delete a branch that is at this commit: GitLab closes its merge request."""
        ref = f"refs/heads/{branch}"
        self._answer(branch, "push", "--porcelain", f"--force-with-lease={ref}:{at}", self._url, f":{ref}")

    def _answer(self, branch: str, *arguments: str) -> Pushed:
        done = self._run(*arguments)
        said = done.stdout + done.stderr
        if done.returncode != 0:
            if _MOVED.search(said):
                raise MovedError(branch)
            raise RefusedError(f"{branch}: the push was refused: {_reason(said)}")
        if warning := _WARNING.search(done.stderr):
            raise RefusedError(f"{branch} is pushed, but there is no merge request: {clean(warning[1])}")
        link = _LINK.search(done.stderr)
        return Pushed(clean(link[1]) if link else None)

    def _must(self, *arguments: str, given: str | None = None, more: Mapping[str, str] | None = None) -> str:
        done = self._run(*arguments, given=given, more=more)
        if done.returncode != 0:
            raise RefusedError(f"git {arguments[0]}: {_reason(done.stderr)}")
        return done.stdout

    def _run(
        self, *arguments: str, given: str | None = None, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *arguments],
            cwd=self._folder,
            env={**self._environment, **(more or {})},
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )


def _reason(said: str) -> str:
    """Return the line of git's output that has the reason."""
    lines = [line for line in said.splitlines() if line.strip()]
    wanted = ("GitLab:", "fatal:", "error:", "[remote rejected]", "[rejected]")
    return clean(next((line for key in wanted for line in lines if key in line), lines[-1] if lines else "no answer"))


@contextmanager
def opened(server: str, path: str, token: str) -> Iterator[InfraRepository]:
    """Give a fetched copy of the repository, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="usine-infra-") as folder:
        repository = InfraRepository(server, path, token, Path(folder))
        repository.fetch()
        yield repository
