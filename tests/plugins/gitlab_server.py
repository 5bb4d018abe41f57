"""A stand-in GitLab for tests, served from this process on a free loopback port."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from lab.standins.gitlab.app import create_app
from lab.standins.serve import LOOPBACK, Configuration
from tests.ports import free_port

TOKEN = "glpat-root-of-the-stand-in-7f3a"
PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Server:
    """A running server: its address, and a client with the administrator's token."""

    url: str
    api: httpx.Client

    def call(self, method: str, path: str, **body: Any) -> Any:
        """Do something to it by hand; raises for a refusal."""
        answer = self.api.request(method, path, json=body or None)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


@contextmanager
def gitlab_server(data: Path, edition: str) -> Iterator[Server]:
    """Serve an empty GitLab of `edition` (`community`, `free` or `premium`), its data in `data`."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    configuration = Configuration(port, url, data, TOKEN, {"edition": edition})
    config = uvicorn.Config(create_app(configuration), host=LOOPBACK, port=port, log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name=f"gitlab-{edition}", daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline, "the stand-in GitLab does not start"
        time.sleep(0.01)
    try:
        with httpx.Client(base_url=f"{url}/api/v4", headers={"PRIVATE-TOKEN": TOKEN}, timeout=30) as api:
            yield Server(url, api)
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
