"""The client with a scripted server: retries, errors, and values that must not be in a message."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from components.sonarqube.dynamic.api import Client, NotFoundError, SonarError
from lab import pki
from lab.home import LabHome

TOKEN = "squ_marker-1f0c"

Answer = tuple[int, dict[str, str], str]


class _Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        self.answers: list[Answer | None] = []
        self.seen: list[tuple[str, str, str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.seen.append((f"{self.command} {self.path}", self.headers.get("Authorization", ""), body))
        answer = self.server.answers.pop(0)
        if answer is None:  # cut the connection
            self.close_connection = True
            return
        status, headers, text = answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - named by the base class

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(server: _Server, waits: list[float]) -> Client:
    return Client(f"{server.url}/sonar/", environment={"SONAR_TOKEN": TOKEN}, sleep=waits.append)


def test_sends_the_token_and_only_parameters_with_a_value(client: Client, server: _Server) -> None:
    server.answers = [(200, {}, '{"a": 1}'), (204, {}, ""), (200, {}, "{}")]
    assert client.get("/api/x", key="a b", other=None) == {"a": 1}
    assert client.post("/api/y", name="n", absent=None, values=["1", "2"]) is None
    client.v2("PATCH", "/z", {"b": 2})
    assert [line for line, _, _ in server.seen] == [
        "GET /sonar/api/x?key=a+b",
        "POST /sonar/api/y",
        "PATCH /sonar/api/v2/z",
    ]
    assert {authorization for _, authorization, _ in server.seen} == {f"Bearer {TOKEN}"}
    assert [body for _, _, body in server.seen] == ["", "name=n&values=1&values=2", '{"b": 2}']


def test_netrc_does_not_replace_the_token(
    client: Client, server: _Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.answers = [(200, {}, "{}")]
    client.get("/x")
    assert server.seen[0][1] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("call", [lambda c: c.get("/x"), lambda c: c.post("/x")])
def test_retries_temporary_errors(
    client: Client, server: _Server, waits: list[float], call: Callable[[Client], Any]
) -> None:
    server.answers = [(429, {"Retry-After": "3"}, ""), (503, {}, ""), (200, {}, "{}")]
    call(client)
    assert waits[0] == 3
    assert 1 <= waits[1] <= 2


def test_retries_only_requests_that_may_be_repeated(client: Client, server: _Server, waits: list[float]) -> None:
    server.answers = [None, (502, {}, ""), (200, {}, "{}")]
    assert client.get("/x") == {}
    server.answers = [None]
    with pytest.raises(SonarError, match="does not answer: connection refused or lost"):
        client.post("/x")
    server.answers = [(502, {}, "")]
    with pytest.raises(SonarError, match=r"HTTP 502$"):
        client.post("/x")
    assert len(waits) == 2


def test_stops_after_the_last_retry(client: Client, server: _Server, waits: list[float]) -> None:
    server.answers = [(503, {"Retry-After": "999999"}, "")] * 20
    with pytest.raises(SonarError, match="HTTP 503"):
        client.post("/x")
    assert len(server.seen) == 6
    assert waits == [30.0] * 5


def test_retries_while_the_server_is_not_up_yet(waits: list[float]) -> None:
    with _Server() as gone:
        url = gone.url
    with pytest.raises(SonarError, match=f"SonarQube POST /x: {url} does not answer: connection refused"):
        Client(url, environment={"SONAR_TOKEN": TOKEN}, sleep=waits.append).post("/x")
    assert len(waits) == 5


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, '{"errors": [{"msg": "first"}, {"msg": "second\\nline"}]}', "HTTP 400: first; second line"),
        (
            403,
            '{"message": "Insufficient privileges"}',
            "HTTP 403: Insufficient privileges (the account of SONAR_TOKEN may lack `admin` or `scan` on the project)",
        ),
        (404, '{"errors": [{"msg": "not there"}]}', "HTTP 404: not there"),
        (401, "", "HTTP 401: the token in SONAR_TOKEN is not accepted"),
        (500, "<html>", "HTTP 500"),
        (302, "", "HTTP 302"),
        (400, f'{{"message": "bad token {TOKEN}"}}', "HTTP 400: bad token ***"),
        (200, "<html>", "the answer is not JSON: is this SonarQube's address?"),
    ],
)
def test_an_error_has_the_servers_message(
    client: Client, server: _Server, status: int, body: str, message: str
) -> None:
    server.answers = [(status, {"Location": "/elsewhere"}, body)]
    with pytest.raises(SonarError) as caught:
        client.get("/x")
    assert str(caught.value) == f"SonarQube GET /x: {message}"
    assert isinstance(caught.value, NotFoundError) == (status == 404)


def test_sends_nothing_without_a_token(server: _Server) -> None:
    with pytest.raises(SonarError, match="set SONAR_TOKEN"):
        Client(server.url, environment={}).get("/x")
    assert server.seen == []


def test_an_authority_must_be_pem() -> None:
    with pytest.raises(SonarError, match="not PEM text"):
        Client("https://127.0.0.1:1", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    with pytest.raises(SonarError, match="not PEM text"):
        Client("https://127.0.0.1:1", "nonsense")


def test_trusts_only_the_given_authority(server: _Server, tmp_path: Path) -> None:
    home = LabHome.open(tmp_path)
    pair = pki.ensure(home).keycloak
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.answers = [(200, {}, "{}")]
    url, environment = server.url.replace("http:", "https:"), {"SONAR_TOKEN": TOKEN}
    assert Client(url, home.ca.read_text(encoding="ascii"), environment=environment).get("/x") == {}
    another = LabHome.open(tmp_path / "another")
    pki.ensure(another)
    for authority in (another.ca.read_text(encoding="ascii"), None):
        with pytest.raises(SonarError, match="its certificate is not trusted"):
            Client(url, authority, environment=environment).get("/x")
    assert len(server.seen) == 1


def test_reads_all_pages(client: Client, server: _Server) -> None:
    server.answers = [
        (200, {}, '{"paging": {"total": 3}, "things": [1, 2]}'),
        (200, {}, '{"paging": {"total": 3}, "things": [3]}'),
    ]
    assert list(client.pages("/x", "things", q="a")) == [1, 2, 3]
    assert [line for line, _, _ in server.seen] == ["GET /sonar/x?p=1&ps=100&q=a", "GET /sonar/x?p=2&ps=100&q=a"]
