"""A fake site of official releases on loopback, which records its requests."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tar_gz(files: dict[str, bytes], mode: int = 0o755) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def zipped(files: dict[str, bytes], mode: int = 0o755) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, content)
    return stream.getvalue()


@dataclass
class ReleaseSite:
    """Files by path, and the received requests such as `HEAD /path`."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    #: Paths for which the connection ends after half of the content.
    broken: set[str] = field(default_factory=set)
    #: Paths that answer after this is set.
    slow: set[str] = field(default_factory=set)
    go_on: threading.Event = field(default_factory=threading.Event)
    #: Content type of every answer.
    kind: str = "application/octet-stream"
    requests: list[str] = field(default_factory=list)

    def serve(self, path: str, content: bytes) -> str:
        self.files[path] = content
        return self.url + path


@contextmanager
def release_site() -> Iterator[ReleaseSite]:
    class SiteHandler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            site.requests.append(f"{self.command} {self.path}")
            if self.path in site.slow:
                site.go_on.wait(60)
            if target := site.redirects.get(self.path):
                self.send_response(302)
                self.send_header("Location", target)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = site.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", site.kind)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if body and content:
                self.wfile.write(content[: len(content) // 2] if self.path in site.broken else content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), SiteHandler)
    server.daemon_threads = True
    site = ReleaseSite(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()
