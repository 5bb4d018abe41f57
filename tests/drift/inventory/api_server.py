"""A small HTTP server with fixed answers, in the formats of the systems' own APIs."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True)
class Refused:
    """An answer that is not 200, without a body or with a JSON one."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


#: Vault's answer for an empty list and for a missing object: 404 without a reason.
NOTHING = Refused(404, body={"errors": []})


@dataclass
class Answers:
    """What is answered by path, or by path and query: a JSON value, or answers given one after another (`Script`).

    A JSON list is cut into pages when the request asks for one. What is not there is 404. `asked` are the requests.
    """

    url: str = ""
    by_path: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [path for _, path, _, _ in self.asked]

    def methods(self) -> set[str]:
        return {method for method, _, _, _ in self.asked}


class Script(list[Any]):
    """Answers that are given one after the other; the last one is repeated."""


@contextmanager
def serving(by_path: Mapping[str, Any], tls: ssl.SSLContext | None = None) -> Iterator[Answers]:
    """Serve until the block ends, over HTTPS with a TLS context."""
    answers = Answers(by_path=dict(by_path))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one packet: the client need not wait for an acknowledgement

        def do_GET(self) -> None:
            where = urlsplit(self.path)
            query = dict(parse_qsl(where.query, keep_blank_values=True))
            path = unquote(where.path)
            answers.asked.append((self.command, path, query, dict(self.headers)))
            length = int(self.headers.get("Content-Length") or 0)
            if length:
                self.rfile.read(length)
            answer = answers.by_path.get(f"{path}?{where.query}", answers.by_path.get(path, Refused(404)))
            if isinstance(answer, Script):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            status, headers = (answer.status, answer.headers) if isinstance(answer, Refused) else (200, {})
            body = answer.body if isinstance(answer, Refused) else _page(answer, query)
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - http.server looks for this name

        def log_message(self, *args: object) -> None:
            """Write no log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    answers.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        server.shutdown()
        server.server_close()


def _page(answer: Any, query: Mapping[str, str]) -> Any:
    if not isinstance(answer, list) or "page" not in query:
        return answer
    size = int(query.get("per_page") or query.get("page_size") or 20)
    start = (int(query["page"]) - 1) * size
    return answer[start : start + size]
