"""A mail server of the test's process that keeps what it receives. Python 3.12 has none."""

from __future__ import annotations

import email
import re
import socketserver
import threading
from dataclasses import dataclass, field
from email import policy
from types import TracebackType
from typing import Self

from lab.sockets import LOOPBACK


@dataclass(frozen=True)
class Mail:
    """A message: to whom, and the alerts in it, each as its labels."""

    to: str
    alerts: tuple[dict[str, str], ...]


@dataclass
class Mailbox:
    """Listens on a loopback port while the block runs."""

    port: int
    mails: list[Mail] = field(default_factory=list)

    def __enter__(self) -> Self:
        mailbox = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                mailbox._serve(self)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer((LOOPBACK, self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, connection: socketserver.StreamRequestHandler) -> None:
        """Speak SMTP (RFC 5321) with one client."""

        def say(text: str) -> None:
            connection.wfile.write(f"{text}\r\n".encode())

        to: list[str] = []
        say("220 localhost")
        for line in connection.rfile:
            command = line.decode().strip()
            if command.upper().startswith("RCPT TO:"):
                to.append(command.partition("<")[2].partition(">")[0])
            if command.upper() == "DATA":
                say("354 go on")
                lines = iter(connection.rfile.readline, b".\r\n")
                text = b"".join(line.removeprefix(b".") if line.startswith(b"..") else line for line in lines)
                self.mails += [Mail(one, _alerts(text)) for one in to]
                to.clear()
            if command.upper() == "QUIT":
                say("221 bye")
                return
            say("250 ok")


def _alerts(message: bytes) -> tuple[dict[str, str], ...]:
    """Return the labels of each alert, as Alertmanager's own template writes them: `name = value`, between headings."""
    body = email.message_from_bytes(message, policy=policy.default).get_body(("html",))
    assert body is not None
    sections = str(body.get_content()).split("Labels</strong>")[1:]
    return tuple(
        dict(re.findall(r"(\w+) = ([^<]*)<br", section.partition("Annotations</strong>")[0])) for section in sections
    )
