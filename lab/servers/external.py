"""A real GitLab or Harbor in place of a stand-in, by address and credential of the environment.

Everything finds it at the port of the stand-in: a process there passes bytes on, so that settings, tests and servers
that trust its identity stay as they are. Nothing is started, reset or deleted there.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from urllib.parse import urlsplit

from lab.errors import LabError
from lab.home import CHECKOUT, LabHome
from lab.process import Command
from lab.sockets import LOOPBACK

_CHUNK = 1 << 16
_PORTS = {"http": 80, "https": 443}


def variable(server: str, what: str) -> str:
    """Return a variable of the environment, such as USINE_LAB_GITLAB_URL; empty when it is not set."""
    return os.environ.get(f"USINE_LAB_{server.upper()}_{what}", "")


def address(server: str) -> str:
    """Return the URL of the real server, empty for the stand-in. Raises LabError for what is no such URL."""
    url = variable(server, "URL")
    if url:
        _parts(url)
    return url


def command(server: str, home: LabHome, port: int) -> Command:
    """Return the process that passes on what comes to a port of this platform."""
    arguments = (sys.executable, "-m", "lab.servers.external", str(port), address(server))
    return Command(
        arguments, {"PYTHONPATH": str(CHECKOUT)}, home.data / server, (CHECKOUT / "lab/servers/external.py",)
    )


def _parts(url: str) -> tuple[str, str, int]:
    try:
        found = urlsplit(url)
        port = found.port or _PORTS[found.scheme]
    except (KeyError, ValueError):
        raise LabError(f"{url!r} is no address of a server: http://HOST[:PORT] or https://HOST[:PORT]") from None
    if not found.hostname or found.path.strip("/"):
        raise LabError(f"{url!r} is no address of a server: http://HOST[:PORT] or https://HOST[:PORT]")
    return found.scheme, found.hostname, port


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # one side went away: the other is told by the end
    finally:
        writer.close()


async def serve(port: int, url: str) -> None:
    """Pass every connection to a port of this machine on to the server at `url`, for ever."""
    scheme, host, to = _parts(url)
    # SSL_CERT_FILE names a private authority.
    context = ssl.create_default_context() if scheme == "https" else None

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(host, to, ssl=context)
        except OSError as error:
            print(f"{url} does not answer: {error}", file=sys.stderr, flush=True)
            writer.close()
            return
        await asyncio.gather(_pass(reader, back), _pass(there, writer))

    server = await asyncio.start_server(connected, LOOPBACK, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
