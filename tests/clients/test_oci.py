"""The client of a registry: digests and tags, with a token where the registry asks for one."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from usine.clients import ClientError
from usine.clients.oci import OciClient

DIGEST = f"sha256:{'a' * 64}"


@dataclass
class Registry:
    """A registry that gives a token to anybody, and what it was asked."""

    url: str = ""
    realm: str = ""
    following: str = ""
    digest: str = DIGEST
    asked: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Registry]:
    registry = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            given = self.headers.get("Authorization", "")
            registry.asked.append((self.command, self.path, given))
            headers, body = {}, b"{}"
            if self.path.startswith("/token"):
                body = json.dumps({"token": "marker-token"}).encode()
                self.send_response(200)
            elif given != "Bearer marker-token":
                self.send_response(401)
                realm = registry.realm or f"{registry.url}/token"
                headers["WWW-Authenticate"] = f'Bearer realm="{realm}",service="reg",scope="repository:x:pull"'
            elif "/tags/list" in self.path:
                self.send_response(200)
                second = "last=" in self.path
                body = json.dumps({"tags": ["3.14"] if second else ["3.13", "bad\u202etag", 7, "latest"]}).encode()
                if not second:
                    following = registry.following or "/v2/library/python/tags/list?n=1000&last=3.13"
                    headers["Link"] = f'<{following}>; rel="next"'
            elif "/manifests/3.13" in self.path:
                self.send_response(200)
                headers["Docker-Content-Digest"] = registry.digest
            else:
                self.send_response(404)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()


def test_a_digest_is_asked_for_without_pulling_and_with_a_token() -> None:
    with serving() as registry:
        client = OciClient("registry", registry.url)
        assert client.digest("library/python", "3.13") == DIGEST
        assert list(client.tags("library/python")) == ["3.13", "latest", "3.14"]
        assert not [path for command, path, _ in registry.asked if command == "GET" and "/manifests/" in path]
        # One token for the repository, and the scope is pull.
        tokens = [(path, given) for _, path, given in registry.asked if path.startswith("/token")]
        assert tokens == [("/token?service=reg&scope=repository%3Alibrary%2Fpython%3Apull", "")]


def test_a_credential_goes_to_the_registry_s_own_token_service_only() -> None:
    with serving() as registry, serving() as other:
        secret = ("robot", "marker-password")
        assert OciClient("registry", registry.url, secret).digest("library/python", "3.13") == DIGEST
        given = [header for _, path, header in registry.asked if path.startswith("/token")]
        assert base64.b64decode(given[0].removeprefix("Basic ")) == b"robot:marker-password"
        registry.realm = f"{other.url}/token"
        OciClient("registry", registry.url, secret).digest("library/python", "3.13")
        assert [header for _, path, header in other.asked if path.startswith("/token")] == [""]


@pytest.mark.parametrize("realm", ["ftp://x/token", "file:///etc/passwd", "token"])
def test_a_token_service_with_another_scheme_is_refused(realm: str) -> None:
    with serving() as registry:
        registry.realm = realm
        with pytest.raises(ClientError, match="refused library/python: HTTP 401"):
            OciClient("registry", registry.url).digest("library/python", "3.13")


def test_failures_are_one_line_without_a_credential() -> None:
    with serving() as registry:
        client = OciClient("registry", registry.url, ("robot", "marker-password"))
        with pytest.raises(ClientError, match="HTTP 404") as caught:
            client.digest("library/python", "9.9")
        assert "marker" not in str(caught.value)
        registry.digest = "sha256:\u001b[31m"[:7]
        with pytest.raises(ClientError, match="has no digest"):
            client.digest("library/python", "3.13")
        registry.following = "http://169.254.169.254/v2/x/tags/list"
        with pytest.raises(ClientError, match="continues at another server"):
            list(client.tags("library/python"))
