# ruff: noqa: ANN401 - JSON answers have any type
"""Files of a repository: create, update, delete, read with or without content."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Literal

from lab.standins.gitlab import access, git_push
from lab.standins.gitlab.api_repository_commits import author, found_commit, make, require_push
from lab.standins.gitlab.errors import not_found, parameter, refused
from lab.standins.gitlab.git import BareRepository, RepositoryError, TreeEntry
from lab.standins.gitlab.params import Bool, Params, Text
from lab.standins.gitlab.repositories import EXECUTABLE, CommitAction, clean_path, decode
from lab.standins.gitlab.routing import Call, Router
from lab.standins.needs import Need, needed_by
from lab.standins.store import Document

router = Router("repository files")
_PATH = "/projects/{id}/repository/files/{file_path}"


class FileReadParams(Params):
    """The branch, tag or commit to read."""

    ref: str


class FileRemoval(Params):
    """Parameters of a commit that deletes a file."""

    branch: str
    commit_message: str
    start_branch: Text = None
    author_email: Text = None
    author_name: Text = None
    last_commit_id: Text = None


class FileWriteParams(FileRemoval):
    """Parameters of a commit that writes a file."""

    content: str
    encoding: Literal["base64", "text"] | None = None
    execute_filemode: Bool = None


def _found(call: Call, id_: str, path: str, ref: str | None) -> tuple[BareRepository, str, TreeEntry]:
    project = call.project(id_, access.REPORTER)
    if ref is not None and not ref.strip():
        raise parameter("ref is empty")
    repo, sha = found_commit(call, project, ref)
    try:
        entry = repo.entry(sha, clean_path(path))
    except RepositoryError:
        raise parameter("file_path should be a valid file path") from None
    if entry is None or entry.kind != "blob":
        raise not_found("File")
    return repo, sha, entry


def _described(repo: BareRepository, sha: str, entry: TreeEntry, ref: str | None) -> tuple[Document, bytes]:
    content = repo.blob(entry.id)
    return {
        "file_name": entry.path.rsplit("/", 1)[-1],
        "file_path": entry.path,
        "size": len(content),
        "encoding": "base64",
        "content_sha256": hashlib.sha256(content).hexdigest(),
        "ref": ref or "HEAD",
        "blob_id": entry.id,
        "commit_id": sha,
        "last_commit_id": repo.last_commit(sha, entry.path),
        "execute_filemode": entry.mode == EXECUTABLE,
    }, content


@router.get(_PATH, scopes=("read_repository",), anonymous=True)
@needed_by(Need.PLUGINS, Need.LOOKUP)
def get_file(call: Call, id: str, file_path: str, given: FileReadParams) -> Any:
    """Return a file with its content in base64."""
    described, content = _described(*_found(call, id, file_path, given.ref), given.ref)
    return {**described, "content": base64.b64encode(content).decode()}


@router.post(_PATH)
@needed_by(Need.PLUGINS)
def create_file(call: Call, id: str, file_path: str, given: FileWriteParams) -> Any:
    """Commit a new file."""
    _write(call, id, file_path, given, "create")
    return {"file_path": file_path, "branch": given.branch}


@router.put(_PATH)
@needed_by(Need.PLUGINS)
def update_file(call: Call, id: str, file_path: str, given: FileWriteParams) -> Any:
    """Commit new content of a file."""
    _write(call, id, file_path, given, "update")
    return {"file_path": file_path, "branch": given.branch}


@router.delete(_PATH)
@needed_by(Need.PLUGINS)
def delete_file(call: Call, id: str, file_path: str, given: FileRemoval) -> None:
    """Commit the deletion of a file."""
    _write(call, id, file_path, given, "delete")


def _write(call: Call, id_: str, path: str, given: FileRemoval, kind: str) -> None:
    project = call.project(id_, access.DEVELOPER)
    if not given.commit_message:
        raise parameter("commit_message is empty")
    require_push(call, project, given.branch)
    if not git_push.can_push(call.site, call.actor, project, given.branch):
        raise refused("You are not allowed to push into this branch")
    content, executable = None, None
    if isinstance(given, FileWriteParams):
        try:
            content = decode(given.content, given.encoding)
        except RepositoryError as error:
            raise refused(str(error)) from None
        executable = given.execute_filemode
    action = CommitAction(kind, path, content, executable=executable, last_commit=given.last_commit_id)
    who = author(call, given.author_name, given.author_email)
    make(call, project, given.branch, [action], given.commit_message, start_branch=given.start_branch, author=who)
