"""Answers GET /price?grams=1200 with JSON, one connection at a time."""

from __future__ import annotations

import json
import socket
from urllib.parse import parse_qs, urlsplit

import h11

from parcel.price import price


def answer(method: str, target: str) -> tuple[int, dict[str, object]]:
    """Return the status and the content for a request."""
    url = urlsplit(target)
    if url.path == "/health":
        return 200, {"status": "ok"}
    if url.path != "/price":
        return 404, {"error": "no such page"}
    if method != "GET":
        return 405, {"error": "only GET"}
    query = parse_qs(url.query)
    try:
        return 200, {"cents": price(int(query.get("grams", [""])[0]), express="express" in query)}
    except ValueError as error:
        return 400, {"error": str(error)}


def converse(connection: socket.socket) -> None:
    """Read one request from a connection and answer it."""
    http = h11.Connection(h11.SERVER)
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(connection.recv(4096))
        elif isinstance(event, h11.Request):
            status, content = answer(event.method.decode(), event.target.decode())
            body = json.dumps(content).encode()
            headers = [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("X-Content-Type-Options", "nosniff"),
                ("Connection", "close"),
            ]
            for part in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
                connection.sendall(http.send(part) or b"")
            return
        else:
            return


def serve(listener: socket.socket) -> None:
    """Answer the connections of a listening socket, until it is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                converse(connection)
            except (h11.RemoteProtocolError, OSError):
                continue
