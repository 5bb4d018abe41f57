"""Runs a stand-in server: one process, on loopback only, until SIGTERM."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, repr=False)
class Configuration:
    """The configuration of a stand-in: a JSON file with the administrator's token, which only its owner can read.

    `url` is the address for clients, `data` the folder of all data; `options` depend on the server.
    """

    port: int
    url: str
    data: Path
    token: str
    options: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Configuration:
        """Read the file. Raises OSError, ValueError or KeyError if it is invalid."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            port=int(content["port"]),
            url=str(content["url"]),
            data=Path(content["data"]),
            token=str(content["token"]),
            options=dict(content.get("options", {})),
        )

    def text(self) -> str:
        """Return the text of the file."""
        content = {"port": self.port, "url": self.url, "data": str(self.data), "token": self.token}
        return json.dumps({**content, "options": self.options}, indent=2) + "\n"


class _NoQuery(logging.Filter):
    """Removes queries from the access log, because they can contain a token."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Accept every record; uvicorn's arguments are client, method, path with query, version, status."""
        if isinstance(record.args, tuple) and len(record.args) > _PATH:
            path = str(record.args[_PATH]).split("?", 1)[0]
            record.args = (*record.args[:_PATH], path, *record.args[_PATH + 1 :])
        return True


_PATH = 2


def serve(app: ASGIApp, configuration: Configuration) -> None:
    """Serve until a signal stops it."""
    logging.getLogger("uvicorn.access").addFilter(_NoQuery())
    uvicorn.run(
        app,
        host=LOOPBACK,
        port=configuration.port,
        log_level="info",
        access_log=True,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=3,
    )
