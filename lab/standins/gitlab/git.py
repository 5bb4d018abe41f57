"""Reads and writes a bare git repository with the `git` program, without a work tree.

The machine's git configuration is not read, and git never prompts.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ZERO: Final = "0" * 40
#: The empty tree, which git knows even if the repository does not contain it.
EMPTY_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_CONFIG: Final = """[receive]
\tadvertisePushOptions = true
\thideRefs = refs/merge-requests
\thideRefs = refs/pipelines
[uploadpack]
\tallowAnySHA1InWant = true
\tallowFilter = true
[gc]
\tauto = 0
"""
#: Fields of a commit, one on each line, the message last.
_LOG: Final = "--format=%H%n%P%n%an%n%ae%n%aI%n%cn%n%ce%n%cI%n%B"


class RepositoryError(Exception):
    """Git failed; the argument is a line of its output."""


@dataclass(frozen=True, slots=True)
class GitPerson:
    """An author or committer."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit; times are ISO 8601 with an offset."""

    id: str
    parents: tuple[str, ...]
    author: GitPerson
    authored: str
    committer: GitPerson
    committed: str
    message: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag: `target` is its object, `commit` its commit; annotated ones have `message` and `created`."""

    name: str
    target: str
    commit: str
    message: str
    created: str | None


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """An entry of a tree; `kind` is `blob`, `tree` or `commit`; `path` starts at the top."""

    mode: str
    kind: str
    id: str
    path: str


def environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for git, which has only the PATH of the machine's environment."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "LC_ALL": "C.UTF-8",
        **(more or {}),
    }


class BareRepository:
    """A bare repository in `path`. Methods raise RepositoryError if git fails."""

    def __init__(self, path: Path) -> None:
        """Store the path; the repository may not exist."""
        self.path = path

    @property
    def exists(self) -> bool:
        """Whether it exists."""
        return (self.path / "HEAD").exists()

    def run(
        self, *arguments: str, given: bytes | None = None, more: Mapping[str, str] | None = None, quiet: bool = False
    ) -> bytes:
        """Run git in it and return its output; with `quiet`, a failure returns an empty output."""
        try:
            done = subprocess.run(
                ["git", f"--git-dir={self.path}", *(argument.encode() for argument in arguments)],
                input=given if given is not None else b"",
                capture_output=True,
                env=environment(self.path, more),
                check=False,
            )
        except ValueError:  # a null byte or a lone surrogate
            raise RepositoryError("not a name git can keep") from None
        if done.returncode:
            if quiet:
                return b""
            lines = done.stderr.decode(errors="replace").strip().splitlines() or ["git failed"]
            raise RepositoryError(lines[-1].removeprefix("fatal: ").removeprefix("error: "))
        return done.stdout

    def make(self, branch: str) -> None:
        """Create an empty repository with HEAD at a branch that does not exist yet."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.run("init", "--quiet", "--bare", "--template=")
        with (self.path / "config").open("a", encoding="ascii") as file:
            file.write(_CONFIG)  # `git config` would need one process for each setting
        self.head(branch)

    def head(self, branch: str) -> None:
        """Point HEAD at a branch."""
        self.run("symbolic-ref", "HEAD", f"refs/heads/{branch}")

    # Names ------------------------------------------------------------------------------------------------------------

    def valid(self, ref: str) -> bool:
        """Whether git accepts this full ref name."""
        try:
            self.run("check-ref-format", ref)
        except RepositoryError:
            return False
        return not any(part.startswith("-") for part in ref.split("/")[2:3])

    def ref(self, name: str) -> str | None:
        """Return the object of a full ref, None if it does not exist."""
        try:
            return self.run("rev-parse", "--verify", "--quiet", name).decode().strip() or None
        except RepositoryError:
            return None

    def resolve(self, revision: str) -> str | None:
        """Return the commit of a branch, tag, full ref or (short) id; None if there is none."""
        if not revision or revision.startswith("-") or any(character in revision for character in "\0\n "):
            return None
        for prefix in ("refs/heads/", "refs/tags/", ""):
            try:
                found = self.run("rev-parse", "--verify", "--quiet", f"{prefix}{revision}^{{commit}}")
            except RepositoryError:
                continue
            return found.decode().strip()
        return None

    def branches(self) -> dict[str, str]:
        """Return the commits of the branches, sorted by name."""
        lines = self.run("for-each-ref", "--format=%(objectname) %(refname:strip=2)", "refs/heads").decode()
        return {name: commit for commit, _, name in (line.partition(" ") for line in lines.splitlines())}

    def tags(self) -> dict[str, Tag]:
        """Return the tags, sorted by name."""
        fields = "%00".join(
            f"%({name})"
            for name in ("refname:strip=2", "objecttype", "objectname", "*objectname", "taggerdate:iso-strict")
        )
        text = self.run("for-each-ref", f"--format={fields}%00%(contents)%00%01", "refs/tags").decode(errors="replace")
        found = {}
        for record in text.split("\0\x01\n")[:-1]:
            name, kind, target, peeled, date, message = record.split("\0", 5)
            annotated = kind == "tag"
            found[name] = Tag(
                name, target, peeled if annotated else target, message.rstrip("\n") if annotated else "", date or None
            )
        return found

    def merged(self, into: str) -> set[str]:
        """Return the branches that are merged into `into`."""
        return set(
            self.run("for-each-ref", f"--merged={into}", "--format=%(refname:strip=2)", "refs/heads")
            .decode()
            .splitlines()
        )

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `old` is an ancestor of `new`."""
        try:
            self.run("merge-base", "--is-ancestor", old, new)
        except RepositoryError:
            return False
        return True

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the last common commit."""
        try:
            return self.run("merge-base", one, other).decode().strip()
        except RepositoryError:
            return None

    # Reading ----------------------------------------------------------------------------------------------------------

    def commit(self, id_: str) -> Commit:
        """Return one commit by its full id."""
        return _commit(self.run("log", "-z", "-1", _LOG, id_, "--").decode(errors="replace").rstrip("\0"))

    def commits(self, ids: Iterable[str]) -> dict[str, Commit]:
        """Return several commits by id."""
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        text = self.run("log", "-z", _LOG, "--no-walk=unsorted", "--stdin", given="\n".join(wanted).encode())
        found = [_commit(record) for record in text.decode(errors="replace").split("\0") if record]
        return {one.id: one for one in found}

    def tree(self, commit: str, path: str = "", *, recursive: bool = False) -> list[TreeEntry] | None:
        """Return the content of a folder, folders first; None if it does not exist."""
        path = path.strip("/")
        options = ["-r", "-t"] if recursive else []
        try:
            text = self.run("ls-tree", "-z", *options, f"{commit}:{path}" if path else commit)
        except RepositoryError:
            return None
        entries = [_entry(line, path) for line in text.decode(errors="surrogateescape").split("\0") if line]
        return sorted(entries, key=lambda entry: ("tree", "blob", "commit").index(entry.kind))

    def entry(self, commit: str, path: str) -> TreeEntry | None:
        """Return the entry at a path."""
        text = self.run("ls-tree", "-z", commit, "--", path, quiet=True).decode(errors="surrogateescape")
        found = [_entry(line, "") for line in text.split("\0") if line]
        return next((entry for entry in found if entry.path == path), None)

    def blob(self, id_: str) -> bytes:
        """Return the content of a file by the id of its entry."""
        return self.run("cat-file", "blob", id_)

    def read(self, commit: str, path: str) -> bytes | None:
        """Return the content of the file at a path; None if there is none."""
        found = self.entry(commit, path)
        return self.blob(found.id) if found is not None and found.kind == "blob" else None

    def last_commit(self, commit: str, path: str) -> str:
        """Return the last commit, up to `commit`, that changed a path."""
        return self.run("log", "-1", "--format=%H", commit, "--", path).decode().strip()

    def history(self, commit: str, path: str = "") -> list[str]:
        """Return the commits up to this one, the newest first; with a path, those that changed it."""
        return self.run("rev-list", commit, "--", *([path] if path else [])).decode().split()

    def files(self, commit: str) -> list[str]:
        """Return the paths of all files of a commit."""
        return [one.path for one in self.tree(commit, recursive=True) or [] if one.kind == "blob"]

    def changed(self, old: str, new: str) -> list[str]:
        """Return the paths that differ between two commits."""
        return self.run("diff-tree", "-r", "-z", "--name-only", old, new).decode(errors="replace").split("\0")[:-1]

    def changes(self, old: str, new: str) -> list[tuple[int, int]]:
        """Return added and removed lines for each file between two commits or trees, with renames.

        None for binary files.
        """
        text = self.run("diff-tree", "-r", "-M", "--numstat", old, new).decode(errors="replace")
        found = [line.split("\t", 2)[:2] for line in text.splitlines()]
        return [(int(added), int(removed)) if added != "-" else (0, 0) for added, removed in found]

    # Writing ----------------------------------------------------------------------------------------------------------

    def write_blob(self, content: bytes) -> str:
        """Store a file's content; return its id."""
        return self.run("hash-object", "-w", "--stdin", given=content).decode().strip()

    def write_tree(self, base: str | None, changes: Mapping[str, tuple[str, str] | None], scratch: Path) -> str:
        """Store the tree of commit `base` with changed paths, each (mode, blob) or None to delete it; return its id."""
        more = {"GIT_INDEX_FILE": str(scratch / "index")}
        if base:
            self.run("read-tree", base, more=more)
        removed = [f"0 {ZERO}\t{path}" for path, change in changes.items() if change is None]
        added = [f"{change[0]} {change[1]}\t{path}" for path, change in changes.items() if change is not None]
        lines = "".join(f"{line}\0" for line in removed + added)
        self.run(
            "update-index",
            "--add",
            "--replace",
            "-z",
            "--index-info",
            given=lines.encode(errors="surrogateescape"),
            more=more,
        )
        return self.run("write-tree", more=more).decode().strip()

    def write_commit(
        self, tree: str, parents: Sequence[str], message: str, author: GitPerson, committer: GitPerson, date: str = ""
    ) -> str:
        """Store a commit; return its id. `date` is the author's date; if empty, the current time."""
        more = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_COMMITTER_NAME": committer.name,
            "GIT_COMMITTER_EMAIL": committer.email,
            **({"GIT_AUTHOR_DATE": date} if date else {}),
        }
        above = [word for parent in parents for word in ("-p", parent)]
        return self.run("commit-tree", tree, *above, given=message.encode(), more=more).decode().strip()

    def write_tag(self, name: str, commit: str, message: str, tagger: GitPerson) -> None:
        """Create a tag, which is annotated if there is a message."""
        target = commit
        if message:
            more = {"GIT_COMMITTER_NAME": tagger.name, "GIT_COMMITTER_EMAIL": tagger.email}
            self.run(
                "tag", "--annotate", "--file=-", "--cleanup=verbatim", name, commit, given=message.encode(), more=more
            )
            return
        self.update(f"refs/tags/{name}", target, ZERO)

    def update(self, ref: str, new: str, old: str | None = None) -> None:
        """Move a full ref from `old` (`ZERO` to create it, None for any value) to `new` (`ZERO` to delete it)."""
        expected = [] if old is None else [old]
        if new == ZERO:
            self.run("update-ref", "-d", ref, *expected)
        else:
            self.run("update-ref", ref, new, *expected)

    def merge_tree(self, ours: str, theirs: str) -> str | None:
        """Return the tree of a merge; None on a conflict."""
        try:
            return self.run("merge-tree", "--write-tree", ours, theirs).decode().splitlines()[0]
        except RepositoryError:
            return None

    def fetch(self, other: BareRepository, *refspecs: str) -> None:
        """Copy refs and their objects from another repository on this machine."""
        self.run("fetch", "--quiet", "--no-tags", "--no-auto-maintenance", str(other.path), *refspecs)


def _commit(record: str) -> Commit:
    id_, parents, author, author_email, authored, committer, committer_email, committed, message = record.split("\n", 8)
    return Commit(
        id=id_,
        parents=tuple(parents.split()),
        author=GitPerson(author, author_email),
        authored=authored,
        committer=GitPerson(committer, committer_email),
        committed=committed,
        message=message,
    )


def _entry(line: str, folder: str) -> TreeEntry:
    meta, _, path = line.partition("\t")
    mode, kind, id_ = meta.split(" ")
    return TreeEntry(mode, kind, id_, f"{folder}/{path}" if folder else path)
