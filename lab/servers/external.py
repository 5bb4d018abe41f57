"""A real GitLab or Harbor instead of a stand-in. Environment variables give its address and credential.

A process at the stand-in's port forwards to it, so settings, tests and servers that trust its identity do not change.
The lab starts, resets and deletes nothing on the real server.
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
    """Return the URL of the real server, empty for the stand-in. Raises LabError if it is not a server's URL."""
    url = variable(server, "URL")
    if url:
        _parts(url)
    return url


def command(server: str, home: LabHome, port: int) -> Command:
    """Return the command of the process that forwards a port of this platform."""
    arguments = (sys.executable, "-m", "lab.servers.external", str(port), address(server))
    return Command(
        arguments, {"PYTHONPATH": str(CHECKOUT)}, home.data / server, (CHECKOUT / "lab/servers/external.py",)
    )


def _parts(url: str) -> tuple[str, str, int]:
    try:
        found = urlsplit(url)
        port = found.port or _PORTS[found.scheme]
    except (KeyError, ValueError):
        raise LabError(f"{url!r} is not a server's address: http://HOST[:PORT] or https://HOST[:PORT]") from None
    if not found.hostname or found.path.strip("/"):
        raise LabError(f"{url!r} is not a server's address: http://HOST[:PORT] or https://HOST[:PORT]")
    return found.scheme, found.hostname, port


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # one side closed the connection: the other gets the end of the stream
    finally:
        writer.close()


async def serve(port: int, url: str) -> None:
    """Forward every connection to a local port to the server at `url`, without end."""
    scheme, host, to = _parts(url)
    # SSL_CERT_FILE can name a private authority.
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
