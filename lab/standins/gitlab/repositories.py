"""The git repositories of projects, one folder for each project id, and commits through the API."""

from __future__ import annotations

import base64
import binascii
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.standins.gitlab import protection
from lab.standins.gitlab.git import ZERO, BareRepository, Commit, GitPerson, RepositoryError
from lab.standins.gitlab.site import GitLabSite, now
from lab.standins.store import Document

_PREFERRED: Final = ("main", "master")
EXISTS: Final = "A file with this name already exists"
MISSING: Final = "A file with this name doesn't exist"
PLAIN, EXECUTABLE = "100644", "100755"


@dataclass(frozen=True, slots=True)
class Update:
    """An updated ref: `old` is `ZERO` if it was created, `new` is `ZERO` if it was deleted."""

    ref: str
    old: str
    new: str


#: Called after updates of a project's refs: (site, project, actor, updates, push options).
Listener = Callable[[GitLabSite, Document, Document | None, Sequence[Update], Sequence[str]], None]
#: Functions to call after a push, in order: merge requests, then pipelines. Modules of this folder register them.
listeners: Final[list[Listener]] = []


class GitRepositories:
    """All repositories. `site.Repositories` is the interface for projects."""

    def __init__(self, folder: Path) -> None:
        """`folder` contains `<id>.git` for each project."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def of(self, project: Document) -> BareRepository:
        """Return the repository of a project."""
        return BareRepository(self._folder / f"{project['id']}.git")

    def create(self, project: Document, files: Mapping[str, str] | None = None, author: Document | None = None) -> None:
        """Create it; with `files`, commit them on the default branch."""
        repository = self.of(project)
        if repository.exists:  # left by a killed process, because ids are not reused
            shutil.rmtree(repository.path)
        branch = project.get("default_branch") or _PREFERRED[0]
        repository.make(branch)
        if files:
            who = person(author)
            actions = [CommitAction("create", path, text.encode()) for path, text in files.items()]
            commit(repository, branch, actions, "Initial commit", who, who, old=ZERO, start=None)

    def copy(self, source: Document, project: Document) -> None:
        """Create it with all branches and tags of another."""
        repository, origin = self.of(project), self.of(source)
        repository.make(self.default_branch(source) or _PREFERRED[0])
        if origin.branches():
            repository.fetch(origin, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")

    def remove(self, project: Document) -> None:
        """Delete it."""
        shutil.rmtree(self.of(project).path, ignore_errors=True)

    def branches(self, project: Document) -> list[str]:
        """Return the names of the branches."""
        repository = self.of(project)
        return list(repository.branches()) if repository.exists else []

    def tags(self, project: Document) -> list[str]:
        """Return the names of the tags."""
        repository = self.of(project)
        return list(repository.tags()) if repository.exists else []

    def set_default_branch(self, project: Document, name: str) -> None:
        """Point HEAD at a branch."""
        self.of(project).head(name)

    def default_branch(self, project: Document) -> str | None:
        """Return HEAD's branch if it exists, else the most likely one; None for an empty repository."""
        repository = self.of(project)
        names = list(repository.branches()) if repository.exists else []
        head = repository.run("symbolic-ref", "--short", "HEAD").decode().strip() if names else ""
        return next((name for name in (head, *_PREFERRED, *names) if name in names), None)


def install(site: GitLabSite) -> None:
    """Add repositories to the site."""
    site.repositories = GitRepositories(site.data / "repositories")


def repositories(site: GitLabSite) -> GitRepositories:
    """Return the site's repositories."""
    assert isinstance(site.repositories, GitRepositories)  # noqa: S101 - set by `install`
    return site.repositories


def repository(site: GitLabSite, project: Document) -> BareRepository:
    """Return a project's repository, which is created if it is missing."""
    found = repositories(site).of(project)
    if not found.exists:
        found.make(project.get("default_branch") or _PREFERRED[0])
    return found


def person(user: Document | None) -> GitPerson:
    """Return a user as author."""
    if user is None:
        return GitPerson("GitLab", "gitlab@localhost")
    return GitPerson(_named(user["name"], user["username"]), user.get("commit_email") or user["email"])


def _named(name: str, otherwise: str) -> str:
    """Return a name that git accepts: it refuses names without letters and digits."""
    return name if any(character.isalnum() for character in name) else otherwise


def notify(
    site: GitLabSite, project: Document, user: Document | None, updates: Sequence[Update], options: Sequence[str] = ()
) -> None:
    """Call the registered functions for updated refs."""
    project = _after_push(site, project, updates)
    for listener in listeners:
        listener(site, project, user, updates, options)


def _after_push(site: GitLabSite, project: Document, updates: Sequence[Update]) -> Document:
    """Return the project after a push: it is active now, and its first branch becomes the protected default branch."""
    current = {**(site.store.get("project", project["id"]) or project), "last_activity_at": now()}
    default = repositories(site).default_branch(project)
    born = {update.ref for update in updates if update.old == ZERO}
    if default is not None and {f"refs/heads/{name}" for name in repositories(site).branches(project)} <= born:
        current["default_branch"] = default
        repositories(site).set_default_branch(project, default)
        protection.protect_default_branch(site, current)
    site.store.put("project", current)
    return current


# Commits through the API ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CommitAction:
    """One change in a commit: `create`, `update`, `delete`, `move`, `chmod`; `content` None keeps the content."""

    kind: str
    path: str
    content: bytes | None = None
    previous: str | None = None
    executable: bool | None = None
    last_commit: str | None = None


def decode(content: str, encoding: str | None) -> bytes:
    """Return decoded content. Raises RepositoryError if it is not base64."""
    if encoding != "base64":
        return content.encode()
    try:
        return base64.b64decode(content)
    except (binascii.Error, ValueError):
        raise RepositoryError("invalid base64") from None


def clean_path(path: str) -> str:
    """Return a path in a repository. Raises RepositoryError if it is outside."""
    parts = path.strip("/").split("/")
    if not path.strip("/") or any(part in {"", "."} for part in parts):
        raise RepositoryError("Path is invalid")
    if ".." in parts:
        raise RepositoryError("Path cannot include directory traversal")
    if parts[0].lower() == ".git" or "\n" in path:
        raise RepositoryError("Path is invalid")
    return "/".join(parts)


def commit(
    repo: BareRepository,
    branch: str,
    actions: Sequence[CommitAction],
    message: str,
    author: GitPerson,
    committer: GitPerson,
    *,
    old: str,
    start: str | None,
) -> Update:
    """Commit `actions` after `start` to a branch that is at `old`. Raises RepositoryError with GitLab's message."""
    with tempfile.TemporaryDirectory(prefix="usine-commit-") as folder:
        changes: dict[str, tuple[str, str] | None] = {}
        for action in actions:
            _apply(repo, start, changes, action)
        tree = repo.write_tree(start, changes, Path(folder))
    new = repo.write_commit(tree, [start] if start else [], message, author, committer)
    repo.update(f"refs/heads/{branch}", new, old)
    return Update(f"refs/heads/{branch}", old, new)


def _apply(
    repo: BareRepository, start: str | None, changes: dict[str, tuple[str, str] | None], action: CommitAction
) -> None:
    path = clean_path(action.path)
    source = clean_path(action.previous) if action.kind == "move" and action.previous else path
    there = _at(repo, start, changes, source)
    if action.kind in {"update", "delete", "move", "chmod"}:
        if there is None:
            raise RepositoryError(MISSING)
        if action.last_commit and start and repo.last_commit(start, source) != action.last_commit:
            raise RepositoryError("You are attempting to update a file that has changed since you started editing it.")
    new = action.kind == "create" or (action.kind == "move" and source != path)
    if new and _at(repo, start, changes, path) is not None:
        raise RepositoryError(EXISTS)
    if action.kind == "delete":
        changes[path] = None
        return
    mode, blob = there or (PLAIN, "")
    if action.kind in {"create", "update", "move"} and action.content is not None:
        blob = repo.write_blob(action.content)
    elif action.kind == "create":
        mode, blob = PLAIN, repo.write_blob(b"")
    if action.executable is not None:
        mode = EXECUTABLE if action.executable else PLAIN
    if action.kind == "create":
        mode = EXECUTABLE if action.executable else PLAIN
    if source != path:
        changes[source] = None
    changes[path] = (mode, blob)


def _at(
    repo: BareRepository, start: str | None, changes: Mapping[str, tuple[str, str] | None], path: str
) -> tuple[str, str] | None:
    """Return mode and id of the file at a path. Raises RepositoryError if it is a folder."""
    if path in changes:
        return changes[path]
    found = repo.entry(start, path) if start else None
    if found is not None and found.kind == "tree":
        raise RepositoryError("A directory with this name already exists")
    return (found.mode, found.id) if found is not None else None


def last(repo: BareRepository, revision: str | None) -> Commit | None:
    """Return the commit of a revision."""
    found = repo.resolve(revision) if revision else None
    return repo.commit(found) if found else None
