"""The owner of a run lock: who runs, in which process, in which job, and whether that run is still alive."""

from __future__ import annotations

import datetime
import enum
import getpass
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import psutil

from usine.clients import ClientError
from usine.clients.gitlab import gitlab_of_pipeline


class Life(enum.Enum):
    """Whether a process is alive. `UNKNOWN`: this process cannot see it, for example on another machine."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Process:
    """A process, described so that another process can tell later whether it is alive.

    A process id has a meaning only within one boot of one machine, and within one container. `host`, `boot` and
    `namespace` identify these: the host name, the start time of process 1, and the device and inode of the root folder.
    Containers that share a host name differ in at least one of the last two. `started` is the start time in seconds
    after process 1, which a change of the system clock does not alter: it tells a reused process id from the first one.

    Older versions wrote Linux's boot id and process namespace into `boot` and `namespace`, and clock ticks into
    `started`. Such a process is `UNKNOWN` here: its owner is judged by its heartbeat and its job.
    """

    pid: int
    started: str
    host: str
    boot: str
    namespace: str

    @staticmethod
    def of(pid: int) -> Process:
        """Describe a running process of this machine."""
        here = _Here.now()
        return Process(pid, here.started(pid), here.host, here.boot, here.namespace)

    @property
    def life(self) -> Life:
        """Whether it is still alive, as far as this process can see."""
        here = _Here.now()
        if not here.boot or (self.host, self.boot, self.namespace) != (here.host, here.boot, here.namespace):
            return Life.UNKNOWN
        if not runs(self.pid):
            return Life.GONE
        started = here.started(self.pid)
        return Life.GONE if self.started and started and self.started != started else Life.ALIVE


@dataclass(frozen=True, slots=True)
class _Here:
    """The machine, boot and container of this process. `first` is the start time of process 1, None where hidden."""

    host: str
    namespace: str
    first: float | None

    @staticmethod
    def now() -> _Here:
        root = os.stat("/")
        return _Here(socket.gethostname(), f"{root.st_dev}:{root.st_ino}", _created(1))

    @property
    def boot(self) -> str:
        return "" if self.first is None else f"{self.first:.2f}"

    def started(self, pid: int) -> str:
        """Return the start time of a process in seconds after process 1; empty where the system hides it."""
        created = _created(pid)
        return "" if created is None or self.first is None else f"{created - self.first:.2f}"


def _created(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def runs(pid: int) -> bool:
    """Whether a process of this machine runs. A process that has ended and whose parent has not waited does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


@dataclass(frozen=True, slots=True)
class Job:
    """A job of GitLab CI: its API URL, project id, job id, page, and name."""

    api: str
    project: str
    id: str
    url: str
    name: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a lock. `token` identifies the run, `since` is when it began or got the lock (UTC).

    `commit` is None outside a Git repository, `job` is None outside GitLab CI.
    """

    token: str
    user: str
    process: Process
    commit: str | None
    since: datetime.datetime
    job: Job | None = None

    def __str__(self) -> str:
        """Return one line: ``ann on host (process 12), since 2026-11-25 20:12 UTC, commit 40468a906536``."""
        where = f"job {self.job.name}, {self.job.url}" if self.job else f"process {self.process.pid}"
        commit = f", commit {self.commit[:12]}" if self.commit else ""
        return f"{self.user} on {self.process.host} ({where}), since {self.since:%Y-%m-%d %H:%M} UTC{commit}"


def this_run(environment: Mapping[str, str], commit: str | None) -> Owner:
    """Describe the run of this process."""
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
    """Ask GitLab whether a job has ended; return False also when GitLab cannot be asked.

    Only the GitLab of this run is asked, never an address that is only in a file: it receives the token.
    """
    token, api = environment.get("USINE_GITLAB_TOKEN"), environment.get("CI_API_V4_URL")
    if not token or not api or api != job.api:
        return False
    try:
        path = f"projects/{quote(job.project, safe='')}/jobs/{quote(job.id, safe='')}"
        found = gitlab_of_pipeline(api, token, environment).get(path)
    except ClientError:
        return False
    return (found or {}).get("status") in {"success", "failed", "canceled"}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no account and no variable, as in some containers
        return "somebody"
