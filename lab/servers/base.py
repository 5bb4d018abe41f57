"""What a server of the local platform is.

A new one is one module with a subclass of `Server`, and one line in `lab.servers`.
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


class GivenUp(Exception):  # noqa: N818 - not an error: another server's is
    """The start of the platform was given up while this one was waited for."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a server gets: where it lives, the folders of the parts it runs, certificates, and a flag to give up."""

    home: LabHome
    parts: Mapping[str, Path]
    pki: Pki
    cancelled: Event = field(default_factory=Event)

    @property
    def secrets(self) -> Secrets:
        """Secrets as they are now: some come from servers that start."""
        return Secrets.load(self.home)

    def wait(self, ready: Callable[[], bool], limit: float, what: str) -> None:
        """Ask again until it is so. Raises LabError after `limit` seconds, GivenUp when all is given up."""
        deadline = time.monotonic() + limit
        while not ready():
            if time.monotonic() > deadline:
                raise LabError(f"{what} took more than {limit:.0f} s")
            if self.cancelled.wait(_POLL):
                raise GivenUp


class Server(abc.ABC):
    """A server, or a step that needs one (`command` None: nothing runs for it)."""

    #: Names its log, its record and its row in the status; unique.
    name: ClassVar[str]
    #: Servers that must be up before.
    after: ClassVar[tuple[str, ...]] = ()
    #: Parts it needs, by the names of `lab.parts`.
    parts: ClassVar[tuple[str, ...]] = ()
    #: Commands of the machine it runs, by the names of `lab.parts.prerequisites`.
    tools: ClassVar[tuple[str, ...]] = ()
    #: Seconds its start may take on a slow, busy machine.
    limit: ClassVar[float] = 60.0

    def ports(self, home: LabHome) -> tuple[int, ...]:  # noqa: ARG002 - what a subclass derives them from
        """TCP ports it listens on."""
        return ()

    @abc.abstractmethod
    def where(self, home: LabHome) -> str:
        """Its address, for people."""

    def command(self, context: Context) -> Command | None:  # noqa: ARG002
        """Prepare folders and configuration, and return what to run."""
        return None

    @abc.abstractmethod
    def healthy(self, home: LabHome) -> bool:
        """Whether it serves. Quick; False rather than an error while it does not."""

    def answers(self, home: LabHome) -> bool:
        """Whether it can be settled. Differs from `healthy` where `settle` has something to do."""
        return self.healthy(home)

    def settle(self, context: Context) -> None:  # noqa: B027 - most need nothing
        """What is to be done once it answers, every time; idempotent."""

    # The same for all -------------------------------------------------------------------------------------------------

    def up(self, context: Context) -> str:
        """Start it unless it runs, wait until it serves. Returns what was done; raises LabError with the log's tail."""
        command, done = self.command(context), "ready"
        if command is not None:
            done = self._run(context, command)
        self._wait(context, lambda: self.answers(context.home), runs=command is not None)
        self.settle(context)
        self._wait(context, lambda: self.healthy(context.home), runs=command is not None)
        return done

    def down(self, home: LabHome) -> bool:
        """Stop it; True if it ran."""
        return process.stop(home, self.name)

    def state(self, home: LabHome) -> str:
        """`up`, `unhealthy`, or `down`. What serves without the process we started is what that one left behind."""
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
            done = "started again"  # another version or configuration, or it hangs, or only parts of it were left
        sockets.require_free(self.name, self.ports(home))
        process.start(home, self.name, command)
        return done

    def _wait(self, context: Context, ready: Callable[[], bool], *, runs: bool) -> None:
        home = context.home

        def look() -> bool:
            if runs and process.running(home, self.name) is None:
                raise LabError("it ended while starting")
            return ready()

        try:
            context.wait(look, self.limit, "its start")
        except LabError as error:
            tail = process.tail(home, self.name)
            said = f"; its last words:\n{tail}" if tail else ""
            raise LabError(f"{self.name}: {error} (log: {process.log_path(home, self.name)}){said}") from None


def client(home: LabHome, url: str, *, admin: bool = False, timeout: float = 5.0) -> httpx.Client:
    """A client of a loopback server that trusts the platform's authority; `admin`: with the administrator's key.

    Never goes through a proxy. Raises LabError where the platform has no certificates yet.
    """
    try:
        trust = ssl.create_default_context(cafile=home.ca)
        if admin:
            trust.load_cert_chain(home.pki / "admin.pem", home.pki / "admin.key")
    except OSError as error:
        raise LabError(f"no certificates in {home.pki} ({error}): `usine lab up` makes them") from None
    return httpx.Client(base_url=url, verify=trust, timeout=timeout, trust_env=False)


def probe(home: LabHome, base: str, path: str, *, admin: bool = False) -> int:
    """HTTP status of a GET, 0 when nothing answers."""
    try:
        with client(home, base, admin=admin) as http:
            return http.get(path).status_code
    except (LabError, httpx.HTTPError):
        return 0
