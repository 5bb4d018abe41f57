"""A stand-in server in a thread of the test's process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from lab.standins.serve import LOOPBACK

_PATIENCE = 20.0


@contextmanager
def served(app: ASGIApp, port: int) -> Iterator[None]:
    """Serve an application on a loopback port until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, host=LOOPBACK, port=port, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + _PATIENCE
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline, "the stand-in server does not start"
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_PATIENCE)
