"""Fault injection: on request, a stand-in server answers 429 or 5xx, or slowly, as under load.

`POST /-/lab/faults` with a JSON object adds one, `GET` lists them, `DELETE` removes all. The header `X-Lab-Token`
must contain the server's administrator token. The path does not exist in the real APIs.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import threading
from dataclasses import asdict, dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

PATH: Final = "/-/lab/faults"


@dataclass(slots=True)
class Fault:
    """A fault for requests whose method and path match (regular expressions for the whole path, without its query).

    With `status` 0, the real answer comes after `delay` seconds. Otherwise the answer has that status, the JSON `body`,
    and `retry_after` seconds if set. `times` is the number of requests that it still affects, -1 for all; `after` is
    the number of requests that pass first.
    """

    path: str = ".*"
    method: str = ".*"
    status: int = 0
    retry_after: int | None = None
    delay: float = 0.0
    times: int = 1
    after: int = 0
    body: object = None


class Faults:
    """Middleware that injects faults into an application."""

    def __init__(self, app: ASGIApp, *, token: str) -> None:
        """Wrap `app`; `token` gives access to the control path."""
        self._app = app
        self._token = token
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a control request, inject a fault, or pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == PATH:
            await (await self._control(Request(scope, receive)))(scope, receive, send)
            return
        fault = self._take(scope["method"], scope["path"])
        if fault is not None:
            await asyncio.sleep(fault.delay)
            if fault.status:
                headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
                body = {"message": f"fault {fault.status} on request"} if fault.body is None else fault.body
                await JSONResponse(body, fault.status, headers)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _take(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if not (re.fullmatch(fault.method, method) and re.fullmatch(fault.path, path)):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.times == 0:
                    continue
                if fault.times > 0:
                    fault.times -= 1
                return fault
        return None

    async def _control(self, request: Request) -> Response:
        if not secrets.compare_digest(request.headers.get("X-Lab-Token", "").encode(), self._token.encode()):
            return JSONResponse({"message": "401 Unauthorized"}, 401)
        if request.method == "DELETE":
            with self._lock:
                self._faults.clear()
            return Response(status_code=204)
        if request.method == "POST":
            try:
                fault = Fault(**json.loads(await request.body()))
                (
                    re.compile(fault.path),
                    re.compile(fault.method),
                )  # report an invalid pattern now, not at the next request
            except (ValueError, TypeError, re.error) as error:
                return JSONResponse({"message": f"not a fault: {error}"}, 400)
            with self._lock:
                self._faults.append(fault)
        with self._lock:
            return JSONResponse([asdict(fault) for fault in self._faults], 201 if request.method == "POST" else 200)
