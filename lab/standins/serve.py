"""Run a stand-in server: one process, loopback only, quiet on SIGTERM."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, repr=False)
class Configuration:
    """What a stand-in is started with: a JSON file only its owner can read (it holds the administrator's token).

    `url` is the address clients use; `data` the folder it keeps everything in; `options` are the server's own.
    """

    port: int
    url: str
    data: Path
    token: str
    options: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Configuration:
        """Read the file. Raises OSError, ValueError or KeyError when it is not one."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            port=int(content["port"]),
            url=str(content["url"]),
            data=Path(content["data"]),
            token=str(content["token"]),
            options=dict(content.get("options", {})),
        )

    def text(self) -> str:
        """The file's text."""
        content = {"port": self.port, "url": self.url, "data": str(self.data), "token": self.token}
        return json.dumps({**content, "options": self.options}, indent=2) + "\n"


def serve(app: ASGIApp, configuration: Configuration) -> None:
    """Serve until told to stop."""
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
