"""The base class of the local platform's servers.

To add a server, write a module with a subclass of `LabServer` and add a line to `lab.servers`.
"""

from __future__ import annotations

import abc
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import ClassVar

import httpx

from lab import process, sockets
from lab.errors import LabError
from lab.home import LabHome
from lab.pki import Pki
from lab.process import Command
from lab.secrets import Secrets

_POLL = 0.1


class StartCancelled(Exception):  # noqa: N818 - not an error of this server
    """The start of the platform was cancelled while it waited for this server."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a server gets: the platform's folder, the folders of its parts, certificates, and a flag to cancel."""

    home: LabHome
    parts: Mapping[str, Path]
    pki: Pki
    cancelled: Event = field(default_factory=Event)

    @property
    def secrets(self) -> Secrets:
        """Current secrets. Some are issued by servers while they start."""
        return Secrets.load(self.home)

    def wait(self, ready: Callable[[], bool], limit: float, what: str) -> None:
        """Repeat a check until it succeeds.

        Raises LabError after `limit` seconds, StartCancelled if `up` is cancelled.
        """
        deadline = time.monotonic() + limit
        while not ready():
            if time.monotonic() > deadline:
                raise LabError(f"{what} took more than {limit:.0f} s")
            if self.cancelled.wait(_POLL):
                raise StartCancelled


class LabServer(abc.ABC):
    """A server, or a step that needs one (`command` returns None: it has no process)."""

    #: Unique name, also of its log, its record and its row in the status.
    name: ClassVar[str]
    #: Servers that must be up before it starts.
    after: ClassVar[tuple[str, ...]] = ()
    #: Names of the parts in `lab.parts` that it needs.
    parts: ClassVar[tuple[str, ...]] = ()
    #: Names of the commands in `lab.parts.prerequisites` that it runs.
    tools: ClassVar[tuple[str, ...]] = ()
    #: Limit of its start, in seconds, on a slow and busy machine.
    limit: ClassVar[float] = 60.0

    def ports(self, home: LabHome) -> tuple[int, ...]:  # noqa: ARG002 - subclasses use it
        """TCP ports on which it listens."""
        return ()

    @abc.abstractmethod
    def where(self, home: LabHome) -> str:
        """Its address, for users."""

    def command(self, context: Context) -> Command | None:  # noqa: ARG002 - for servers without a process
        """Write folders and configuration, and return the command to run."""
        return None

    @abc.abstractmethod
    def healthy(self, home: LabHome) -> bool:
        """Whether it is ready. Quick; returns False instead of raising an error."""

    def answers(self, home: LabHome) -> bool:
        """Whether `set_up` can be called. Differs from `healthy` if `set_up` has something to do."""
        return self.healthy(home)

    def set_up(self, context: Context) -> None:  # noqa: B027 - optional
        """Set it up after each start, once it answers. Idempotent."""

    # The same for all servers -----------------------------------------------------------------------------------------

    def up(self, context: Context) -> str:
        """Start it unless it runs, wait until it is ready, and return what was done.

        Raises LabError with the end of its log.
        """
        command, done = self.command(context), "ready"
        if command is not None:
            done = self._run(context, command)
        self._wait(context, lambda: self.answers(context.home), runs=command is not None)
        self.set_up(context)
        self._wait(context, lambda: self.healthy(context.home), runs=command is not None)
        return done

    def down(self, home: LabHome) -> bool:
        """Stop it; True if it ran."""
        return process.stop(home, self.name)

    def state(self, home: LabHome) -> str:
        """Return `up`, `unhealthy`, or `down`. It is unhealthy if only children of its main process are left."""
        runs = process.running(home, self.name) is not None
        if self.healthy(home):
            return "up" if runs or not self.ports(home) else "unhealthy"
        return "unhealthy" if runs else "down"

    def _run(self, context: Context, command: Command) -> str:
        home = context.home
        found = process.running(home, self.name)
        if found and found.fingerprint == command.fingerprint and (found.age < self.limit or self.answers(home)):
            return "already up"
        done = "started"
        if process.stop(home, self.name):
            done = "started again"  # its version or configuration changed, it hangs, or some of its processes ended
        sockets.require_free(self.name, self.ports(home))
        process.start(home, self.name, command)
        return done

    def _wait(self, context: Context, ready: Callable[[], bool], *, runs: bool) -> None:
        home = context.home

        def check() -> bool:
            if runs and process.running(home, self.name) is None:
                raise LabError("it ended while starting")
            return ready()

        try:
            context.wait(check, self.limit, "its start")
        except LabError as error:
            tail = process.tail(home, self.name)
            details = f"; the end of its log:\n{tail}" if tail else ""
            raise LabError(f"{self.name}: {error} (log: {process.log_path(home, self.name)}){details}") from None


def client(home: LabHome, url: str, *, admin: bool = False, timeout: float = 5.0) -> httpx.Client:
    """Return a client that trusts the platform's authority; with `admin`, it has the administrator's certificate.

    It never uses a proxy. Raises LabError when the platform has no certificates yet.
    """
    try:
        trust = ssl.create_default_context(cafile=home.ca)
        if admin:
            trust.load_cert_chain(home.pki / "admin.pem", home.pki / "admin.key")
    except OSError as error:
        raise LabError(f"no certificates in {home.pki} ({error}): `usine lab up` makes them") from None
    return httpx.Client(base_url=url, verify=trust, timeout=timeout, trust_env=False)


def probe(home: LabHome, base: str, path: str, *, admin: bool = False) -> int:
    """Return the HTTP status of a GET, 0 without an answer."""
    try:
        with client(home, base, admin=admin) as http:
            return http.get(path).status_code
    except (LabError, httpx.HTTPError):
        return 0
