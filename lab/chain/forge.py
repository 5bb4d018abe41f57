"""Clients of GitLab for users and runners: git over HTTP, the API, and the runners' protocol."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx

from lab.chain.transcript import SystemRefusal
from lab.errors import LabError

_SYSTEM: Final = "gitlab"
_REFUSALS: Final = (401, 403, 404)
_PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True, repr=False)
class GitCredential:
    """A token for git, with a user name that GitLab accepts for its kind. `repr` shows neither."""

    user: str
    token: str

    @property
    def header(self) -> str:
        """Return the value of a basic Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.token}".encode()).decode()


@dataclass(frozen=True, slots=True, repr=False)
class RunnerJob:
    """A job as a runner gets it: its number, its token, and its variables, also secret ones."""

    number: int
    name: str
    token: str
    variables: Mapping[str, str]


class AuthenticatedGit:
    """The git program, with a credential that is in no command line and in no file."""

    def __init__(self, credential: GitCredential) -> None:
        """Store the credential for every command."""
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: {credential.header}",
            **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _IDENTITY.items()},
            "NO_PROXY": "127.0.0.1,localhost",
            "LC_ALL": "C",
        }

    def run(self, *arguments: str, folder: Path | None = None) -> str:
        """Run git. Raises `SystemRefusal` when GitLab refuses, LabError for another failure."""
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return done.stdout
        output = done.stderr.strip()
        if re.search(
            r"GitLab: |remote: .*(?:denied|forbidden|not found)|HTTP Basic|Authentication failed|403|404|"
            r"not found|could not read (?:Username|Password)|pre-receive hook declined",
            output,
            re.IGNORECASE,
        ):
            lines = [
                line.removeprefix("remote: ").strip() for line in output.splitlines() if line.startswith("remote:")
            ]
            raise SystemRefusal(_SYSTEM, " ".join(w for w in lines if w.strip("=- ")) or output.splitlines()[-1])
        raise LabError(f"git {arguments[0]}: {output}")


_IDENTITY: Final = {"NAME": "Usine lab", "EMAIL": "lab@example.gouv.fr"}


class ForgeClient:
    """GitLab's API with the platform's administrator token: creates the tokens and the runner of the scenario."""

    def __init__(self, url: str, token: str, root: str) -> None:
        """Store the URL; `root` is the group that contains all tenants."""
        self.url = url
        self._root = root
        self._http = httpx.Client(
            base_url=f"{url}/api/v4", headers={"PRIVATE-TOKEN": token}, timeout=30, trust_env=False
        )
        self._runner = ""

    def call(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - JSON
        """Send a request. Raises `SystemRefusal` for 401, 403, 404; LabError for another failure."""
        answer = self._http.request(method, path, **options)
        if answer.status_code in _REFUSALS:
            raise SystemRefusal(_SYSTEM, f"HTTP {answer.status_code} {answer.text}")
        if answer.is_error:
            raise LabError(f"gitlab: {method} {path}: HTTP {answer.status_code} {answer.text[:200]}")
        return answer.json() if answer.content else None

    def path(self, tenant: str, repository: str) -> str:
        """Return the full path of a repository."""
        return f"{self._root}/{tenant}/{repository}"

    def clone_url(self, tenant: str, repository: str) -> str:
        """Return the URL for git."""
        return f"{self.url}/{self.path(tenant, repository)}.git"

    def project(self, tenant: str, repository: str) -> str:
        """Return the path of a project in the API."""
        return f"/projects/{quote(self.path(tenant, repository), safe='')}"

    def person(self, user: str) -> GitCredential:
        """Create a user's token, valid for one day, to read and write repositories and to open merge requests."""
        found = self.call("GET", "/users", params={"username": user})
        if not found:
            raise LabError(f"gitlab has no account {user}: `usine up` creates the users of the tenant files")
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400))
        body = {"name": "usine-chain", "scopes": ["api", "read_repository", "write_repository"], "expires_at": day}
        return GitCredential(
            user, self.call("POST", f"/users/{found[0]['id']}/personal_access_tokens", json=body)["token"]
        )

    def open_merge_request(self, credential: GitCredential, tenant: str, repository: str, branch: str) -> int:
        """Open a merge request into the default branch as that user; return its number in the project."""
        answer = self.call(
            "POST",
            f"{self.project(tenant, repository)}/merge_requests",
            json={"source_branch": branch, "target_branch": "main", "title": f"Chain {branch}"},
            headers={"PRIVATE-TOKEN": credential.token},
        )
        return int(answer["iid"])

    # As a runner -----------------------------------------------------------------------------------------------------

    def take_job(self, tenant: str, repository: str, name: str, *, ref: str) -> RunnerJob:
        """Take queued jobs until the wanted one comes, and finish the others at once.

        `ref` is the branch or the merge request's ref. Raises LabError when the job does not come within a minute.
        """
        if not self._runner:
            made = self.call(
                "POST", "/user/runners", json={"runner_type": "instance_type", "description": "usine-chain"}
            )
            self._runner = made["token"]
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            given = self.call("POST", "/jobs/request", json={"token": self._runner, "info": {"name": "usine-chain"}})
            if not given:
                time.sleep(0.2)
                continue
            variables = {v["key"]: v["value"] for v in given["variables"]}
            job = RunnerJob(int(given["id"]), given["job_info"]["name"], given["token"], variables)
            wanted = (self.path(tenant, repository), name, ref)
            if (variables.get("CI_PROJECT_PATH"), job.name, _ref(variables)) == wanted:
                return job
            self.finish(job)
        raise LabError(f"gitlab: the job {name} of {tenant}/{repository}, {ref}, did not start")

    def finish(self, job: RunnerJob) -> None:
        """Report a job's success."""
        self.call("PUT", f"/jobs/{job.number}", json={"token": job.token, "state": "success"})

    def close(self) -> None:
        """Delete the runner."""
        if self._runner:
            self.call("DELETE", "/runners", params={"token": self._runner})
            self._runner = ""
        self._http.close()


def _ref(variables: Mapping[str, str]) -> str:
    return variables.get("CI_MERGE_REQUEST_REF_PATH") or variables.get("CI_COMMIT_REF_NAME", "")
