"""The repository of a zone in GitLab: its files by their ids, one commit for all changes, and what the zone reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import quote

from model.settings import GitLabSettings
from model.zone_naming import ZONE_BRANCH, zone_path
from usine.clients import ClientError
from usine.clients.base import Json
from usine.clients.errors import AbsentError
from usine.clients.gitlab import GitLabClient
from usine.clients.session import CONCURRENCY

#: How many commits are searched for the last one that a cluster synchronized.
_SEARCHED: Final = 20


@dataclass(frozen=True, slots=True)
class Head:
    """The last commit of the branch: its id, author and time, and the ids of all files by path."""

    id: str
    author: str
    time: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CommitReport:
    """What a cluster's Argo CD last reported on a commit: GitLab's state, its description and time."""

    commit: str
    state: str
    description: str
    time: str


class ZoneRepository:
    """The repository of one zone. Every method raises ClientError."""

    def __init__(self, client: GitLabClient, settings: GitLabSettings, zone: str) -> None:
        """Keep the client; nothing is sent yet."""
        self._client = client
        self.path = zone_path(settings, zone)
        self._project = f"projects/{quote(self.path, safe='')}"

    def head(self) -> Head:
        """Return the last commit and its files."""
        try:
            branch = self._client.request("GET", f"{self._project}/repository/branches/{ZONE_BRANCH}")
        except AbsentError:
            raise ClientError(f"GitLab has no repository {self.path}: run `usine up` of the foundation") from None
        commit = branch["commit"]
        # Of this commit, not of the branch: somebody may push meanwhile.
        listed = self._client.pages(
            f"{self._project}/repository/tree", ref=commit["id"], recursive="true", pagination="keyset"
        )
        files = {str(entry["path"]): str(entry["id"]) for entry in listed if entry["type"] == "blob"}
        return Head(commit["id"], commit["author_name"], commit["committed_date"], files)

    def commit(
        self, head: Head, message: str, created: Mapping[str, str], updated: Mapping[str, str], deleted: Sequence[str]
    ) -> str:
        """Commit all changes at once, and return the id of the commit.

        GitLab refuses the commit if somebody changed one of these files after `head`: it compares the last commit of a
        file, and creates no file that exists.
        """
        last = self._last_commits(head, (*updated, *deleted))
        actions = [
            *({"action": "create", "file_path": path, "content": text} for path, text in created.items()),
            *(
                {"action": "update", "file_path": path, "content": text, "last_commit_id": last[path]}
                for path, text in updated.items()
            ),
            *({"action": "delete", "file_path": path, "last_commit_id": last[path]} for path in deleted),
        ]
        body = {"branch": ZONE_BRANCH, "commit_message": message, "actions": actions}
        made = self._client.request("POST", f"{self._project}/repository/commits", json=body)
        return str(made["id"])

    def _last_commits(self, head: Head, paths: Sequence[str]) -> Mapping[str, str]:
        def last(path: str) -> str:
            file = quote(path, safe="")
            found = self._client.request("GET", f"{self._project}/repository/files/{file}", params={"ref": head.id})
            return str(found["last_commit_id"])

        with ThreadPoolExecutor(CONCURRENCY) as pool:
            return dict(zip(paths, pool.map(last, paths), strict=True))

    def commits(self) -> Iterator[tuple[str, str]]:
        """Yield the ids and times of the last commits, the newest first."""
        listed = self._client.listed(
            f"{self._project}/repository/commits", ref_name=ZONE_BRANCH, per_page=str(_SEARCHED)
        )
        yield from ((commit["id"], commit["committed_date"]) for commit in listed)

    def report(self, commit: str, name: str) -> CommitReport | None:
        """Return the newest status of this name on a commit.

        Only the token of the zone's Argo CD reports: a status that somebody else set does not count. It takes the place
        of an earlier one of the same name, so all are read.
        """
        path = f"{self._project}/repository/commits/{commit}/statuses"
        listed = self._client.pages(path, name=name, all="true")
        ours = [status for status in listed if status["name"] == name and self._is_reporter(status)]
        if not ours:
            return None
        status = max(ours, key=lambda one: int(one["id"]))
        time = status.get("finished_at") or status.get("created_at") or ""
        return CommitReport(commit, str(status["status"]), str(status.get("description") or ""), str(time))

    def _is_reporter(self, status: Json) -> bool:
        """Return whether the token of a project set a status: its account is a bot of this project."""
        author = (status.get("author") or {}).get("username") or ""
        return author.startswith(f"project_{self._id}_bot")

    @cached_property
    def _id(self) -> int:
        return int(self._client.request("GET", self._project)["id"])
