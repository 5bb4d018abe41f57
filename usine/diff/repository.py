"""What a diff and a fleet read from git: revisions, trees, files, and checkouts of other commits."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

#: Stands for the work tree in place of a revision: with uncommitted files, without ignored ones.
WORKTREE = "worktree"

#: No hook and no monitor of the repository's configuration is run.
_QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
_SHORT = 12


class GitError(Exception):
    """Git fails. The message is one line for people."""


class GitClone:
    """A clone, opened for reading. Only `check_out` and `remove_checkout` write to it: to git's list of work trees.

    Files of the work tree become git objects in a folder that the caller gives, with an index of its own.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        """Open the clone at `root`. Creates `folder` for the files that must be written. Raises GitError."""
        self.root = root
        if shutil.which("git") is None:
            raise GitError("git is not installed")
        folder.mkdir()
        self._folder = folder
        self._environment = self._own_objects()

    def commit(self, revision: str) -> str:
        """Return the full hash of a revision. Raises GitError, which says what to do if the clone is not complete."""
        found = self._commit(revision)
        if found is None:
            raise GitError(f"there is no revision {revision} in this clone{self._advice()}")
        return found

    def has(self, revision: str) -> bool:
        """Return whether the clone has a commit of this name."""
        return self._commit(revision) is not None

    def _commit(self, revision: str) -> str | None:
        return self._try("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")

    def merge_base(self, one: str, other: str) -> str:
        """Return the last common commit of two revisions. Raises GitError."""
        found = self._try("merge-base", one, other)
        if found is None:
            raise GitError(f"{one} and {other} have no commit in common in this clone{self._advice()}")
        return found

    def default_branch(self) -> str:
        """Return the default branch: the remote's, else `main`. Raises GitError."""
        for name in ("origin/HEAD", "origin/main", "main"):
            if self.has(name):
                return name
        raise GitError(f"neither origin/HEAD nor main is in this clone: give --base{self._advice()}")

    def tree(self, revision: str) -> str:
        """Return the tree of a revision, or of the work tree. Raises GitError."""
        if revision != WORKTREE:
            return self._run("rev-parse", "--verify", f"{self.commit(revision)}^{{tree}}")
        index = self._folder / "index"
        own = Path(self._run("rev-parse", "--git-path", "index"))
        if (self.root / own).is_file():
            shutil.copyfile(self.root / own, index)  # it knows which files are unchanged
        environment = {**self._environment, "GIT_INDEX_FILE": str(index)}
        self._run("add", "--all", "--", ".", environment=environment)
        return self._run("write-tree", environment=environment)

    def objects(self, tree: str) -> dict[str, str]:
        """Return mode and hash of every file of a tree, by path from the top."""
        listed = self._run("ls-tree", "-r", "-z", "--full-tree", tree)
        found = {}
        for line in filter(None, listed.split("\0")):
            what, _, path = line.partition("\t")
            mode, _, hash_ = what.split(" ")
            found[path] = f"{mode} {hash_}"
        return found

    def lay_out(self, tree: str, folder: Path) -> None:
        """Write a tree's files into a folder, as a checkout would. Raises GitError."""
        index = self._folder / f"index-{tree}"
        environment = {**self._environment, "GIT_INDEX_FILE": str(index)}
        self._run("read-tree", tree, environment=environment)
        self._run("checkout-index", "--all", "--force", f"--prefix={folder}/", environment=environment)

    def check_out(self, commit: str, folder: Path) -> None:
        """Make a work tree of a commit, without a branch. No hook runs. Raises GitError."""
        # Forced, because git still lists a folder that somebody else removed.
        self._run("worktree", "add", "--quiet", "--force", "--detach", str(folder), commit)

    def remove_checkout(self, folder: Path) -> None:
        """Remove a work tree with everything in it. Raises GitError."""
        self._run("worktree", "remove", "--force", "--force", str(folder))

    def differences(self, commit: str, folder: Path) -> list[str]:
        """Return the files of a work tree that are not as in the commit. Ignored files do not count. Raises GitError.

        A work tree of another commit, or a folder that is none, differs as a whole.
        """
        if self._run("rev-parse", "--show-toplevel", "HEAD", folder=folder).split("\n") != [str(folder), commit]:
            return ["."]
        listed = self._run("status", "--porcelain", "--no-renames", "--untracked-files=all", "-z", folder=folder)
        return [line[3:] for line in listed.split("\0") if line]

    def describe(self, revision: str) -> tuple[str, str]:
        """Return the name of a revision for people, and its short hash (empty for the work tree)."""
        if revision == WORKTREE:
            return "the work tree", ""
        short = self.commit(revision)[:_SHORT]
        return (short if revision.startswith(short) else revision), short

    def _own_objects(self) -> dict[str, str]:
        """Return the environment in which git keeps new objects outside the repository."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        clean |= {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"}
        self._environment = clean
        top = self._run("rev-parse", "--show-toplevel")
        if Path(top).resolve() != self.root.resolve():
            raise GitError(f"{self.root} is not the top of a git clone")
        shared = self.root / self._run("rev-parse", "--git-path", "objects")
        own = self._folder / "objects"
        own.mkdir()
        return {**clean, "GIT_OBJECT_DIRECTORY": str(own), "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{shared.resolve()}"'}

    def _advice(self) -> str:
        if self._try("rev-parse", "--is-shallow-repository") == "true":
            return ": the clone is shallow; fetch all of it (git fetch --unshallow; in GitLab CI: GIT_DEPTH: 0)"
        return ""

    def _try(self, *arguments: str) -> str | None:
        try:
            return self._run(*arguments)
        except GitError:
            return None

    def _run(self, *arguments: str, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *_QUIET, *arguments],
            cwd=folder or self.root,
            env=dict(environment or self._environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise GitError(f"git {arguments[0]}: {said[0] if said else f'exit code {done.returncode}'}")
        return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")
