"""What is in a repository: files, tags."""

from __future__ import annotations

import base64
import binascii
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from lab.plugins import framework
from lab.plugins.bridge import Customise, Resource
from lab.plugins.fields import fields
from lab.plugins.gitlab.client import ApiError, GitLab, segment
from lab.plugins.gitlab.common import parts, rfc3339
from lab.plugins.gitlab.items import Item
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.schema import one_of, resource
from lab.plugins.server import refused
from lab.plugins.wire import Properties, Value

Answer = TypeVar("Answer")

# -- files ------------------------------------------------------------------------------------------------------------

_MESSAGES: Final = ("createCommitMessage", "updateCommitMessage", "deleteCommitMessage")
_BAD_REQUEST: Final = 400
_PATIENCE_SECONDS: Final = 60.0

FILE: Final = resource("gitlab:index/repositoryFile:RepositoryFile").tuned(
    default={"overwriteOnCreate": False},
    validate={"encoding": one_of("base64", "text")},
    conflicts={"commitMessage": _MESSAGES, **dict.fromkeys(_MESSAGES, ("commitMessage",))},
    required_with={name: tuple(other for other in _MESSAGES if other != name) for name in _MESSAGES},
)
_FILE_READ: Final = {
    "fileName": "file_name",
    "filePath": "file_path",
    "size": "size",
    "contentSha256": "content_sha256",
    "ref": "ref",
    "blobId": "blob_id",
    "commitId": "commit_id",
    "lastCommitId": "last_commit_id",
}


def _file(project: str, path: str) -> str:
    return f"projects/{segment(project)}/repository/files/{segment(path)}"


def _persist(attempt: Callable[[], Answer]) -> Answer:
    """Try again while somebody else's commit comes first: GitLab then asks to refresh."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return attempt()
        except ApiError as error:
            refused = error.status == _BAD_REQUEST and "Please refresh and try again" in str(error)
            if not refused or time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _commit(data: Data, doing: str) -> Properties:
    message = data.get("commitMessage") or data.get(f"{doing}CommitMessage")
    if doing == "delete" and data.get("commitMessage"):
        message = f"[DELETE]: {message}"
    body: Properties = {
        "branch": data.get("branch"),
        "author_email": data.get("authorEmail"),
        "author_name": data.get("authorName"),
        "commit_message": message,
    }
    if doing != "delete":
        body |= {"encoding": data.get("encoding"), "content": data.get("content")}
        if data.get("startBranch"):
            body["start_branch"] = data.get("startBranch")
        if data.get("executeFilemode"):
            body["execute_filemode"] = True
    return body


def _create_file(data: Data, gitlab: GitLab) -> None:
    project, branch, path = data.get("project"), data.get("branch"), data.get("filePath")
    with gitlab.files:
        present = gitlab.find(_file(project, path), ref=branch) if data.get("overwriteOnCreate") else None
        if present is not None:
            _persist(lambda: _rewrite(data, gitlab, project, branch, path))
        else:
            _persist(lambda: gitlab.post(_file(project, path), _commit(data, "create")))
    data.id = f"{project}:{branch}:{path}"
    _read_file(data, gitlab)


def _rewrite(data: Data, gitlab: GitLab, project: str, branch: str, path: str) -> None:
    last = gitlab.get(_file(project, path), ref=branch)["last_commit_id"]
    gitlab.put(_file(project, path), {**_commit(data, "update"), "last_commit_id": last})


def _read_file(data: Data, gitlab: GitLab) -> None:
    project, branch, path = parts(data.id, "project", "branch", "repository_file_path")
    found = gitlab.find(_file(project, path), ref=branch)
    if found is None:
        data.id = ""
        return
    content, encoding = found["content"], found["encoding"]
    if data.get("encoding") == "text":
        # What is no text any more is shown as the server tells it.
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):
            content, encoding = base64.b64decode(content).decode(), "text"
    data.id = f"{project}:{branch}:{found['file_path']}"
    data.set("project", project)
    data.set("branch", found["ref"])
    data.set("content", content)
    data.set("encoding", encoding)
    data.set("executeFilemode", bool(found.get("execute_filemode")))
    for name, theirs in _FILE_READ.items():
        data.set(name, found.get(theirs))


def _update_file(data: Data, gitlab: GitLab) -> None:
    project, branch, path = parts(data.id, "project", "branch", "repository_file_path")
    with gitlab.files:
        _persist(lambda: _rewrite(data, gitlab, project, branch, path))
    _read_file(data, gitlab)


def _delete_file(data: Data, gitlab: GitLab) -> None:
    project, branch, path = parts(data.id, "project", "branch", "repository_file_path")

    def attempt() -> None:
        last = gitlab.get(_file(project, path), ref=branch)["last_commit_id"]
        gitlab.delete(_file(project, path), **_commit(data, "delete"), last_commit_id=last)

    with gitlab.files, refused(f"{data.id} failed to delete repository file"):
        _persist(attempt)


# -- tags -------------------------------------------------------------------------------------------------------------

_COMMIT: Final = {
    "id": "id",
    "authorEmail": "author_email",
    "authorName": "author_name",
    "committerEmail": "committer_email",
    "committerName": "committer_name",
    "shortId": "short_id",
    "title": "title",
    "message": "message",
}


def _commits(commit: Properties | None) -> list[Properties]:
    """Return the commit of a tag, by property, as the one member of a set."""
    if not commit:
        return []
    found: Properties = {name: commit.get(theirs) or "" for name, theirs in _COMMIT.items()}
    found["authoredDate"] = rfc3339(commit.get("authored_date")) or ""
    found["committedDate"] = rfc3339(commit.get("committed_date")) or ""
    found["parentIds"] = sorted(commit.get("parent_ids") or [])
    return [found]


class _Tag(Item):
    def customise(self) -> Customise:
        def replacing(prior: Properties | None, _planned: Properties, inputs: Mapping[str, Value]) -> set[str]:
            message = {"message"} & inputs.keys()
            return set() if prior is None else {*self.replacing, *message}

        return replacing

    def creation(self, data: Data) -> Properties:
        return {"tag_name": data.get("name"), "ref": data.get("ref"), "message": data.get("message")}

    def read(self, data: Data, gitlab: GitLab) -> None:
        # Upstream forgets a tag that is gone, and reports the server's 404 all the same.
        place = self.place(data.id)
        self.take_of(place.owner, data, gitlab.get(place.path), gitlab)

    def take(self, data: Data, found: Properties, gitlab: GitLab) -> None:
        super().take(data, found, gitlab)
        release = found.get("release")
        told = release and {"tagName": release.get("tag_name") or "", "description": release.get("description") or ""}
        data.set("releases", [told] if told else None)
        data.set("commits", _commits(found.get("commit")))


_TAG: Final = _Tag(
    shape=framework.resource(
        "gitlab:index/projectTag:ProjectTag", sets=("commits", "releases", "parentIds"), autoname=("name",)
    ),
    root="projects",
    collection="repository/tags",
    owner="project",
    id=("project", "name"),
    key="name",
    read_back=fields("name", "message", "protected", "target"),
    refused={"create": "Unable to create tag"},
    replacing=("name", "project", "ref"),
    updatable=False,
)

RESOURCES: Final = {
    FILE.token: Resource(FILE, _create_file, _read_file, _update_file, _delete_file),
    **table(_TAG),
}
