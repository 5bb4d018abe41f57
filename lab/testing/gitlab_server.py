"""A stand-in GitLab in a thread, and its clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import gitlab
import httpx

from lab.standins.faults import Faults
from lab.standins.gitlab.app import application
from lab.standins.gitlab.site import GitLabSite
from lab.standins.serve import LOOPBACK, Configuration
from lab.testing.ports import free_port
from lab.testing.served import served

ROOT_TOKEN = "glpat-root-of-these-tests-5d21"


@dataclass(frozen=True)
class GitLabClient:
    """The address of a server and its administrator."""

    url: str
    root: gitlab.Gitlab
    token: str = field(repr=False)

    @classmethod
    def at(cls, url: str, token: str) -> Self:
        """Return the clients of a server and its administrator's token."""
        return cls(url, gitlab.Gitlab(url, private_token=token), token)

    def client(self, token: str, **options: Any) -> gitlab.Gitlab:
        """Return a client with a token."""
        return gitlab.Gitlab(self.url, private_token=token, retry_transient_errors=False, **options)

    def http(self, token: str | None = "") -> httpx.Client:
        """Return a plain HTTP client, for details that python-gitlab hides; by default as administrator."""
        token = self.token if token == "" else token
        headers = {"PRIVATE-TOKEN": token} if token else {}
        return httpx.Client(base_url=f"{self.url}/api/v4", headers=headers, timeout=30, trust_env=False)

    def call(self, method: str, path: str, /, **body: Any) -> Any:
        """Send a request as administrator; raises an error for a refusal."""
        with self.http() as client:
            answer = client.request(method, path, json=body or None)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


@dataclass(frozen=True)
class LiveGitLab(GitLabClient):
    """A server in this process."""

    data: Path
    site: GitLabSite


@contextmanager
def live_gitlab(data: Path, **options: Any) -> Iterator[LiveGitLab]:
    """Serve an empty GitLab with these options, such as `edition` (`community`, `free` or `premium`)."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    site = GitLabSite.open(Configuration(port, url, data, ROOT_TOKEN, options))
    with served(Faults(application(site, ROOT_TOKEN), token=ROOT_TOKEN), port):
        yield LiveGitLab(url, gitlab.Gitlab(url, private_token=ROOT_TOKEN), ROOT_TOKEN, data, site)
