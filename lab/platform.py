"""The local platform as a whole: up, down, reset, status. Each is idempotent and works after a crash of another."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from lab import engine, parts, pki, process, sockets
from lab.engine import plugins as provider_plugins
from lab.engine.plugins import PluginChoice, PluginInUse
from lab.errors import LabError
from lab.home import LabHome
from lab.parts.prerequisites import lacking as lacks
from lab.reporter import Reporter, Silent
from lab.secrets import Secrets
from lab.servers import SERVERS, Context, LabServer
from lab.servers.base import StartCancelled

#: The parts that the engine consists of. It is needed to download plugins.
_ENGINE = ("pulumi", "pulumi-python")


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """The status of a server: `state` is up, unhealthy or down; `age` is in seconds, 0 if nothing runs."""

    name: str
    state: str
    pid: int | None
    age: float
    where: str


@dataclass(frozen=True, slots=True)
class PlatformStatus:
    """The status of every server, and the provider plugins in use."""

    servers: tuple[ServerStatus, ...]
    plugins: tuple[PluginInUse, ...]

    @property
    def is_up(self) -> bool:
        """Whether every server is up."""
        return all(server.state == "up" for server in self.servers)


def up(
    home: LabHome,
    *,
    plugins: PluginChoice = PluginChoice.AUTO,
    plugin_dir: Path | None = None,
    reporter: Reporter | None = None,
    servers: Sequence[LabServer] = SERVERS,
) -> PlatformStatus:
    """Start servers, by default all. Running ones are kept. Raises LabError with every failure."""
    reporter = reporter or Silent()
    planned = parts.plan()
    reporter.note(planned.summary())
    lacking = [*planned.lacking(), *lacks({tool for server in SERVERS for tool in server.tools})]
    if lacking:
        raise LabError("this machine lacks:\n" + "\n".join(f"  {line}" for line in lacking))
    with _platform_lock(home):
        provider_plugins.check(plugin_dir)
        if plugins is PluginChoice.OFFICIAL and provider_plugins.to_download(home, plugin_dir):
            # Only a download shows whether plugins are available, so it comes before the long build of other parts.
            engine.install(home, planned.make(reporter, _ENGINE))
            provider_plugins.install(home, plugins, plugin_dir)
        folders = planned.make(reporter)
        start(home, folders, reporter, servers)
        engine.install(home, folders)
        home.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        provider_plugins.install(home, plugins, plugin_dir)
    return status(home)


def start(
    home: LabHome, folders: Mapping[str, Path], reporter: Reporter, servers: Sequence[LabServer] = SERVERS
) -> None:
    """Start servers in parallel, each after those that it needs.

    Raises LabError when one fails, with the end of its log. The others stay as they are for the next `up`.
    """
    _require_ports(home, servers)
    Secrets.ensure(home)
    context = Context(home, folders, pki.ensure(home))
    ended = {server.name: Event() for server in servers}
    failures: list[str] = []

    def run(server: LabServer) -> None:
        try:
            for name in server.after:
                ended[name].wait()
            if context.cancelled.is_set():
                return
            reporter.start(server.name, "starting")
            reporter.done(server.name, f"{server.up(context)}: {server.where(home)}")
        except StartCancelled:
            reporter.failed(server.name, "cancelled while it starts")
        except LabError as error:
            failures.append(str(error))
            reporter.failed(server.name, "see below")
            context.cancelled.set()
        except OSError as error:  # about its files: a full disk, a missing permission, a file in place of a folder
            failures.append(f"{server.name}: {error}")
            reporter.failed(server.name, "see below")
            context.cancelled.set()
        except BaseException:
            context.cancelled.set()
            raise
        finally:
            ended[server.name].set()

    with ThreadPoolExecutor(max_workers=len(servers), thread_name_prefix="lab") as pool:
        futures = [pool.submit(run, server) for server in servers]
        try:
            for future in futures:
                future.result()
        except BaseException:  # also an interrupt: the other threads stop waiting
            context.cancelled.set()
            raise
    if failures:
        raise LabError("\n\n".join(failures))


def _require_ports(home: LabHome, servers: Sequence[LabServer]) -> None:
    """Raise LabError with all busy ports, before anything starts."""
    taken = []
    for server in servers:
        if not process.members(home, server.name):
            try:
                sockets.require_free(server.name, server.ports(home))
            except LabError as error:
                taken.append(str(error))
    if taken:
        raise LabError("\n".join([*taken, "Stop them, or choose other ports: usine lab up --port-base N"]))


def down(home: LabHome, reporter: Reporter | None = None) -> None:
    """Stop everything that was started from this folder; keep the data. Raises LabError if a process does not end."""
    with _platform_lock(home):
        _stop(home, reporter or Silent())


def reset(home: LabHome, reporter: Reporter | None = None) -> None:
    """Stop everything and delete data, secrets, certificates, state and logs. Downloaded plugins are kept."""
    with _platform_lock(home):
        _stop(home, reporter or Silent())
        pulumi = [path for path in home.pulumi_home.glob("*") if path.name != "plugins"]
        removed = [home.data, home.secrets, home.pki, home.state, home.log, home.run, home.kubeconfig, home.settings]
        for path in (*removed, *pulumi):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def status(home: LabHome) -> PlatformStatus:
    """Return the status of every server."""

    def row(server: LabServer) -> ServerStatus:
        found = process.running(home, server.name)
        return ServerStatus(
            server.name,
            server.state(home),
            found.pid if found else None,
            found.age if found else 0.0,
            server.where(home),
        )

    with ThreadPoolExecutor(max_workers=len(SERVERS)) as pool:
        servers = tuple(pool.map(row, SERVERS))
    return PlatformStatus(servers, provider_plugins.in_use(home))


def _stop(home: LabHome, reporter: Reporter) -> None:
    failures = []
    known = [server.name for server in reversed(SERVERS)]
    others = [name for name in process.names(home) if name not in known]  # started by another version of this program
    for name in (*others, *known):
        try:
            if process.stop(home, name):
                reporter.done(name, "stopped")
        except LabError as error:
            failures.append(str(error))
    if failures:
        raise LabError("\n".join(failures))


@contextlib.contextmanager
def _platform_lock(home: LabHome) -> Iterator[None]:
    """Hold the platform's lock: one command at a time changes it. The kernel frees the lock when its owner ends."""
    with open(os.open(home.root / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read().strip() or "?"
            raise LabError(f"another command (process {holder}) is changing the platform in {home.root}") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
