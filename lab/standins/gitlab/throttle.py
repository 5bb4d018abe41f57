"""Rate limits if the configuration sets them, with GitLab's headers."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EXEMPT: Final = ("/-/",)


@dataclass(slots=True)
class Throttle:
    """Middleware: at most `requests` of the API in each `period` of seconds, for all clients together."""

    app: ASGIApp
    requests: int
    period: int = 60
    _window: int = field(default=-1, init=False)
    _used: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request, answer 429 above the limit, and add the remaining number to each answer."""
        if scope["type"] != "http" or scope["path"].startswith(_EXEMPT):
            await self.app(scope, receive, send)
            return
        now = time.time()
        window = int(now // self.period)
        with self._lock:
            if window != self._window:
                self._window, self._used = window, 0
            self._used += 1
            left = self.requests - self._used
        end = (window + 1) * self.period
        headers = {
            "RateLimit-Limit": str(self.requests),
            "RateLimit-Name": "throttle_authenticated_api",
            "RateLimit-Observed": str(self.requests - left),
            "RateLimit-Remaining": str(max(left, 0)),
            "RateLimit-Reset": str(end),
            "RateLimit-ResetTime": datetime.fromtimestamp(end, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
        }
        if left < 0:
            headers["Retry-After"] = str(max(1, int(end - now) + 1))
            await PlainTextResponse("Retry later\n", 429, headers)(scope, receive, send)
            return
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

        async def numbered(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *encoded]}
            await send(message)

        await self.app(scope, receive, numbered)
