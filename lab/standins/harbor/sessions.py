"""Browser sessions, and the CSRF token that clients with a session cookie must send with every change."""

from __future__ import annotations

import hmac
import secrets
import threading
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab.standins.harbor import errors
from lab.standins.harbor.site import HarborSite

SESSION: Final = "sid"
_CSRF: Final = "_gorilla_csrf"
_HEADER: Final = "X-Harbor-Csrf-Token"
_SAFE: Final = ("GET", "HEAD", "OPTIONS", "TRACE")
_MOST: Final = 1000


def cookies(headers: Headers) -> dict[str, str]:
    """Return the cookies of all `Cookie` headers of a request."""
    found: dict[str, str] = {}
    for line in headers.getlist("cookie"):
        try:
            found.update({name: morsel.value for name, morsel in SimpleCookie(line).items()})
        except CookieError:
            continue
    return found


class Sessions:
    """Browser sessions in memory; a restart ends all of them."""

    def __init__(self, site: HarborSite) -> None:
        """Start without sessions."""
        self._site = site
        self._users: dict[str, int] = {}
        self._lock = threading.Lock()

    def open(self, user_id: int) -> str:
        """Start a session; return its cookie's value."""
        made = secrets.token_hex(16)
        with self._lock:
            while len(self._users) >= _MOST:
                self._users.pop(next(iter(self._users)))
            self._users[made] = user_id
        return made

    def user(self, request: Request) -> dict[str, Any] | None:
        """Return the user of the request's session, or None."""
        id_ = self._users.get(cookies(request.headers).get(SESSION, ""))
        return None if id_ is None else self._site.store.get("user", id_)


def _opening(send: Send) -> Send:
    """Add the cookie of an anonymous session to an answer."""

    async def attach(message: Message) -> None:
        if message["type"] == "http.response.start":
            cookie = f"{SESSION}={secrets.token_hex(16)}; Path=/; HttpOnly"
            MutableHeaders(scope=message).append("Set-Cookie", cookie)
        await send(message)

    return attach


class Csrf:
    """Middleware: clients that send a session cookie get a token, and need it for changes."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`. Tokens are valid until the process ends."""
        self._app = app
        self._key = secrets.token_bytes(32)

    def _token(self, cookie: str) -> str:
        return hmac.new(self._key, cookie.encode(), "sha256").hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the token of a change, and add a token to the answer."""
        headers = Headers(scope=scope) if scope["type"] == "http" else None
        if headers is None or SESSION not in (sent := cookies(headers)):
            # Harbor opens a session for each client without one, so a client that stores cookies has one from then on.
            opening = headers is not None and scope["path"].startswith("/api/")
            await self._app(scope, receive, _opening(send) if opening else send)
            return
        cookie = sent.get(_CSRF, "")
        fresh = "" if cookie else secrets.token_urlsafe(32)
        given = headers.get(_HEADER, "")
        token = self._token(cookie or fresh)

        async def attach(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer[_HEADER] = token
                if fresh:
                    answer.append("Set-Cookie", f"{_CSRF}={fresh}; Path=/; HttpOnly; SameSite=Strict")
            await send(message)

        if scope["method"] not in _SAFE and not (cookie and hmac.compare_digest(given.encode(), token.encode())):
            reason = "CSRF token invalid" if given and cookie else "CSRF token not found in request"
            await errors.forbidden(reason).response()(scope, receive, attach)
            return
        await self._app(scope, receive, attach)
