"""Files and tags of a repository."""

from __future__ import annotations

import base64
import binascii
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from lab.plugins import framework, items
from lab.plugins.bridge import Customise
from lab.plugins.fields import always, fields
from lab.plugins.gitlab.client import GitLabApiError, GitLabPluginClient, segment
from lab.plugins.gitlab.common import parts, rfc3339
from lab.plugins.gitlab.items import GitLabItem
from lab.plugins.items import table
from lab.plugins.planning import Data
from lab.plugins.schema import one_of, resource
from lab.plugins.server import refused
from lab.plugins.wire import Properties, Value

Answer = TypeVar("Answer")

# -- files ------------------------------------------------------------------------------------------------------------

_BAD_REQUEST: Final = 400
_PATIENCE_SECONDS: Final = 60.0


def _persist(attempt: Callable[[], Answer]) -> Answer:
    """Try again if another commit came first: GitLab then answers with a request to refresh."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return attempt()
        except GitLabApiError as error:
            refused = error.status == _BAD_REQUEST and "Please refresh and try again" in str(error)
            if not refused or time.monotonic() > deadline:
                raise
            time.sleep(0.5)


class _File(items.Item[GitLabPluginClient]):
    def _place(self, data: Data) -> tuple[str, str]:
        """Return the path of the file with this id, and its branch. Raises `PluginError` if the id is malformed."""
        project, branch, path = parts(data.id, "project", "branch", "repository_file_path")
        return f"projects/{segment(project)}/repository/files/{segment(path)}", branch

    def body(self, data: Data) -> Properties:
        return always(data, fields("branch", "authorEmail", "authorName", "commitMessage"))

    def creation(self, data: Data) -> Properties:
        return {**self.body(data), **always(data, fields("encoding", "content"))}

    def _rewrite(self, data: Data, client: GitLabPluginClient, path: str, branch: str) -> None:
        last = client.get(path, ref=branch)["last_commit_id"]
        client.put(path, {**self.creation(data), "last_commit_id": last})

    def create(self, data: Data, client: GitLabPluginClient) -> None:
        """Commit the file; an existing one is overwritten only if the program requests it."""
        made = Data(data.shape, id_=f"{data.get('project')}:{data.get('branch')}:{data.get('filePath')}")
        path, branch = self._place(made)
        with client.files:
            present = client.find(path, ref=branch) if data.get("overwriteOnCreate") else None
            if present is not None:
                _persist(lambda: self._rewrite(data, client, path, branch))
            else:
                _persist(lambda: client.post(path, self.creation(data)))
        data.id = made.id
        self.read(data, client)

    def find(self, data: Data, client: GitLabPluginClient) -> Properties | None:
        """Return the file from GitLab; content that is not text stays in base64."""
        path, branch = self._place(data)
        found: Properties | None = client.find(path, ref=branch)
        if found is not None and data.get("encoding") == "text":
            with contextlib.suppress(binascii.Error, UnicodeDecodeError):
                return {**found, "content": base64.b64decode(found["content"]).decode(), "encoding": "text"}
        return found

    def take(self, data: Data, found: Properties, client: GitLabPluginClient) -> None:
        project = data.id.partition(":")[0]
        data.id = f"{project}:{found['ref']}:{found['file_path']}"
        data.set("project", project)
        super().take(data, found, client)

    def update(self, data: Data, client: GitLabPluginClient) -> None:
        """Commit a change of the file."""
        path, branch = self._place(data)
        with client.files:
            _persist(lambda: self._rewrite(data, client, path, branch))
        self.read(data, client)

    def delete(self, data: Data, client: GitLabPluginClient) -> None:
        """Commit the deletion of the file."""
        path, branch = self._place(data)
        body = {**self.body(data), "commit_message": f"[DELETE]: {data.get('commitMessage')}"}

        def attempt() -> None:
            client.delete(path, **body, last_commit_id=client.get(path, ref=branch)["last_commit_id"])

        with client.files, refused(f"{data.id} failed to delete repository file"):
            _persist(attempt)


_FILE: Final = _File(
    shape=resource("gitlab:index/repositoryFile:RepositoryFile").tuned(
        default={"overwriteOnCreate": False}, validate={"encoding": one_of("base64", "text")}
    ),
    read_back=fields(
        "fileName", "filePath", "size", "contentSha256", "ref", "blobId", "commitId", "lastCommitId", "content",
        "encoding", branch="ref",
    ),
)  # fmt: skip

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
    """Return the commit of a tag, by property, as a set of one."""
    if not commit:
        return []
    found: Properties = {name: commit.get(theirs) or "" for name, theirs in _COMMIT.items()}
    found["authoredDate"] = rfc3339(commit.get("authored_date")) or ""
    found["committedDate"] = rfc3339(commit.get("committed_date")) or ""
    found["parentIds"] = sorted(commit.get("parent_ids") or [])
    return [found]


class _Tag(GitLabItem):
    def customise(self) -> Customise:
        def replacing(prior: Properties | None, _planned: Properties, inputs: Mapping[str, Value]) -> set[str]:
            message = {"message"} & inputs.keys()
            return set() if prior is None else {*self.replacing, *message}

        return replacing

    def creation(self, data: Data) -> Properties:
        return {"tag_name": data.get("name"), "ref": data.get("ref"), "message": data.get("message")}

    def read(self, data: Data, gitlab: GitLabPluginClient) -> None:
        # Upstream removes a tag that is gone from the state, but still reports the server's 404.
        place = self.place(data.id)
        self.take_of(place.owner, data, gitlab.get(place.path), gitlab)

    def take(self, data: Data, found: Properties, gitlab: GitLabPluginClient) -> None:
        super().take(data, found, gitlab)
        release = found.get("release")
        properties = release and {
            "tagName": release.get("tag_name") or "",
            "description": release.get("description") or "",
        }
        data.set("releases", [properties] if properties else None)
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

RESOURCES: Final = table(_FILE, _TAG)
