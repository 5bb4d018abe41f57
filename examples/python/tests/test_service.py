import json
import socket
import threading

import pytest
from parcel.service import answer, converse, serve


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/price?grams=300", 200),
        ("GET", "/price?grams=many", 400),
        ("GET", "/price", 400),
        ("POST", "/price?grams=300", 405),
        ("GET", "/other", 404),
    ],
)
def test_status(method: str, target: str, status: int) -> None:
    assert answer(method, target)[0] == status


def test_a_connection_gets_one_answer() -> None:
    client, server = socket.socketpair()
    with client, server:
        client.sendall(b"GET /price?grams=300&express=1 HTTP/1.1\r\nHost: parcel\r\n\r\n")
        converse(server)
        head, _, body = client.recv(4096).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body) == {"cents": 1325}


def test_a_connection_that_ends_early_gets_none() -> None:
    client, server = socket.socketpair()
    client.close()
    with server:
        converse(server)


def test_the_service_continues_after_nonsense() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        for request, expected in (
            (b"nonsense\r\n\r\n", b""),
            (b"GET /health HTTP/1.1\r\nHost: p\r\n\r\n", b"HTTP/1.1 200 "),
        ):
            with socket.create_connection(listener.getsockname()) as client:
                client.sendall(request)
                assert client.recv(4096).startswith(expected)
