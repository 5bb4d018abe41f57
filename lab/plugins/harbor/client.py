# ruff: noqa: ANN401 - JSON of a server has any type
"""A client of Harbor, with the official provider's settings and error texts.

Like upstream, it does not retry. It stores no cookies, because Harbor would then require a CSRF token.
"""

from __future__ import annotations

import threading
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests

from lab.plugins.checking import unsupported
from lab.plugins.server import PluginError, RefusalError
from lab.plugins.sessions import cause, session
from lab.plugins.wire import Properties

_TIMEOUT: Final = 60
_NOT_FOUND: Final = 404
_API: Final = "/api/v2.0"
#: Setting -> environment variable that is used if the program does not set it.
ENVIRONMENT: Final = {
    "url": "HARBOR_URL",
    "username": "HARBOR_USERNAME",
    "password": "HARBOR_PASSWORD",
}


class HarborApiError(RefusalError):
    """Harbor refused a request or could not be reached (`status` 502, as in upstream)."""

    def __init__(self, status: int, message: str) -> None:
        """Store the status; `message` is for the user."""
        self.status = status
        super().__init__(message)

    @property
    def missing(self) -> bool:
        """Whether the object does not exist."""
        return self.status == _NOT_FOUND


class HarborPluginClient:
    """A client that many threads can share. It sends nothing before the first resource."""

    def __init__(self, settings: Properties) -> None:
        """Store the settings. Raises `PluginError` without a URL."""
        url = str(settings.get("url") or "")
        if not url:
            raise PluginError(
                "url is required and must be provided in the provider config or the HARBOR_URL environment variable"
            )
        self._base = url.strip("/") + _API
        if settings.get("apiVersion", 2) != 2:  # noqa: PLR2004 - the SDK's default
            raise PluginError(unsupported(f"version {settings['apiVersion']} of Harbor's API"))
        self.robot_prefix = str(settings.get("robotPrefix") or "")
        self._session = session(url)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.verify = settings.get("insecure") is False
        self._session.auth = (str(settings.get("username") or ""), str(settings.get("password") or ""))
        #: Lock of Harbor's configuration, which several resources change.
        self.configuration = threading.Lock()

    def send(self, method: str, path: str, body: Any = None, *, expect: int = 0) -> requests.Response:
        """Send a request. Raises `HarborApiError` for a status other than `expect` (0: accept any)."""
        headers = {"Content-Type": "application/json"}
        try:
            answer = self._session.request(method, self._base + path, json=body, headers=headers, timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise HarborApiError(
                requests.codes.bad_gateway, f'{method.title()} "{self._base}{path}": {cause(error)}'
            ) from None
        if answer.status_code == requests.codes.forbidden:
            # Upstream retries with the CSRF token, which an answer to a client without cookies does not have.
            raise HarborApiError(answer.status_code, "[ERROR] no X-Harbor-Csrf-Token present to retry")
        if expect and answer.status_code != expect:
            text = " ".join(answer.text.split())
            raise HarborApiError(
                answer.status_code,
                f"[ERROR] unexpected status code got: {answer.status_code} expected: {expect} \n {text}",
            )
        return answer

    def get(self, path: str) -> Any:
        """Return the JSON at a path, None for an empty answer."""
        answer = self.send("GET", path, expect=requests.codes.ok)
        return answer.json() if answer.content else None

    def post(self, path: str, body: Any) -> tuple[str, Any]:
        """Create an object; return its id, which is its path in the API, and the JSON answer or None."""
        answer = self.send("POST", path, body, expect=requests.codes.created)
        location = answer.headers.get("Location", "").replace("/api", "").replace("/v2.0", "")
        return location, answer.json() if answer.content else None

    def put(self, path: str, body: Any) -> None:
        """Update an object."""
        self.send("PUT", path, body, expect=requests.codes.ok)

    def delete(self, path: str) -> None:
        """Delete an object."""
        self.send("DELETE", path, expect=requests.codes.ok)

    def pages(self, path: str, size: int | None = None) -> list[Any]:
        """Return the items on all pages of a list. Pages are requested until one is empty."""
        found: list[Any] = []
        page = 1
        while True:
            mark = "&" if "?" in path else "?"
            items = self.get(f"{path}{mark}page={page}" + (f"&page_size={size}" if size else ""))
            if not items:
                return found
            found += items
            page += 1


def in_project(project: str) -> str:
    """Return a project's id, given its number or its id."""
    return project if "/projects/" in project else f"/projects/{project}"


def full(body: Properties) -> Properties:
    """Return a body without empty values, as upstream does."""
    return {name: value for name, value in body.items() if value not in ("", 0, None, [])}
