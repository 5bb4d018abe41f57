"""A small web application on loopback for dynamic analysis. If it is flawed, it shows what a visitor wrote."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

#: The headers that a scanner looks for.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(slots=True)
class Site:
    """`paths` are the requested ones, `credentials` the values of the header Authorization."""

    url: str
    paths: list[str] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)


@contextmanager
def site(*, flawed: bool, redirect: str = "") -> Iterator[Site]:
    """Serve the application. With `redirect`, its page /leave redirects there."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            served.paths.append(parts.path)
            served.credentials.append(self.headers.get("Authorization", ""))
            if parts.path == "/leave" and redirect:
                self.send_response(302)
                self.send_header("Location", redirect)
                self.end_headers()
                return
            name = parse_qs(parts.query).get("name", ["you"])[0]
            shown = name if flawed else html.escape(name)
            page = (
                f"<!DOCTYPE html><html><body><p>Hello {shown}</p>"
                '<form action="/hello"><input name="name"></form><a href="/hello?name=me">me</a>'
                '<a href="/private/a">a</a><a href="/leave">leave</a></body></html>'
            ).encode()
            self.send_response(200 if parts.path in ("/", "/hello", "/private/a") else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            for header, value in () if flawed else _HEADERS.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
