"""Who runs the engine, told so that another run, perhaps on another machine, can say whether they still do."""

from __future__ import annotations

import datetime
import enum
import getpass
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gitlab


class Life(enum.Enum):
    """What can be said of a process from here."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Process:
    """A process of one machine. `started` is its start in clock ticks since boot ("" where the system hides it).

    `boot` identifies the machine's boot and `namespace` the process namespace: only within both does a pid mean
    anything, and containers of one name on several machines are told apart.
    """

    pid: int
    started: str
    host: str
    boot: str
    namespace: str

    @staticmethod
    def of(pid: int) -> Process:
        """Describe a running process of this machine."""
        return Process(pid, _started(pid), socket.gethostname(), *_here())

    @property
    def life(self) -> Life:
        """Say whether it still runs, as far as that can be seen from this process."""
        if (self.host, self.boot, self.namespace) != (socket.gethostname(), *_here()):
            return Life.UNKNOWN
        if not runs(self.pid):
            return Life.GONE
        now = _started(self.pid)
        return Life.GONE if self.started and now and self.started != now else Life.ALIVE


@dataclass(frozen=True, slots=True)
class Job:
    """A job of GitLab CI: the API it is known at, the project's id, its own, its page, its name."""

    api: str
    project: str
    id: str
    url: str
    name: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lock. `token` tells this run from every other, `since` is when it began, or got the lock (UTC).

    `commit` is None outside a Git repository, `job` outside GitLab CI.
    """

    token: str
    user: str
    process: Process
    commit: str | None
    since: datetime.datetime
    job: Job | None = None

    def __str__(self) -> str:
        """Say it in a line: ``ann on host (process 12), since 2026-11-25 20:12 UTC, commit 40468a906536``."""
        where = f"job {self.job.name}, {self.job.url}" if self.job else f"process {self.process.pid}"
        commit = f", commit {self.commit[:12]}" if self.commit else ""
        return f"{self.user} on {self.process.host} ({where}), since {self.since:%Y-%m-%d %H:%M} UTC{commit}"


def this_run(environment: Mapping[str, str], commit: str | None) -> Owner:
    """Describe the run that this process is."""
    return Owner(
        token=secrets.token_hex(8),
        user=environment.get("GITLAB_USER_LOGIN") or _user(),
        process=Process.of(os.getpid()),
        commit=commit,
        since=datetime.datetime.now(datetime.UTC),
        job=_job(environment),
    )


def _job(environment: Mapping[str, str]) -> Job | None:
    names = ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_JOB_ID", "CI_JOB_URL", "CI_JOB_NAME")
    api, project, id_, url, name = (environment.get(variable, "") for variable in names)
    return Job(api, project, id_, url, name) if id_ else None


def job_has_ended(job: Job, environment: Mapping[str, str]) -> bool:
    """Ask GitLab whether a job is over; False also where nobody can tell.

    Only the GitLab this run belongs to is asked, whatever a file says: it alone gets the token.
    """
    token, api = environment.get("USINE_GITLAB_TOKEN"), environment.get("CI_API_V4_URL")
    if not token or not api or api != job.api:
        return False
    try:
        client = gitlab.Gitlab(api.removesuffix("/api/v4"), private_token=token, timeout=10)
        status = client.projects.get(job.project, lazy=True).jobs.get(job.id).status
    except (gitlab.GitlabError, OSError):
        return False
    return status in {"success", "failed", "canceled"}


def runs(pid: int) -> bool:
    """Say whether a process of this machine runs. One that was killed and not yet waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    fields = _stat(pid)
    return not fields or fields[0] not in {"Z", "X"}


def _started(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else ""  # noqa: PLR2004 - starttime is the 22nd field, see proc(5)


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the third on: the second, a name, may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []


def _here() -> tuple[str, str]:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return boot, os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        return "", ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no account and no variable, as in some containers
        return "somebody"
