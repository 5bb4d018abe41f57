# ruff: noqa: ANN401 - JSON of a server has any type
"""A client of GitLab, with the official provider's settings, retries and error texts."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import gitlab
import requests
from gitlab.exceptions import GitlabAuthenticationError, GitlabError, GitlabHttpError

from lab.plugins.server import PluginError, RefusalError, refused
from lab.plugins.sessions import cause, session
from lab.plugins.wire import Properties, Unknown

_API: Final = "/api/v4"
_RETRIES: Final = 5
_TIMEOUT: Final = 60.0
_PAGE: Final = 100
_NOT_FOUND: Final = 404


class GitLabApiError(RefusalError):
    """GitLab refused a request; `status` is its HTTP status."""

    def __init__(self, method: str, url: str, status: int, message: str) -> None:
        """Make the official client's message: the URL without its query, then the server's message."""
        self.status = status
        text = f" {message}" if message else ""
        super().__init__("404 Not Found" if status == _NOT_FOUND else f"{method} {url}: {status}{text}")

    @property
    def missing(self) -> bool:
        """Whether the object does not exist or is not visible."""
        return self.status == _NOT_FOUND


def segment(value: object) -> str:
    """Quote one segment of a path: an id, a full path of a project or group, a branch."""
    return quote(str(value), safe="")


class GitLabPluginClient:
    """A client that many threads can share."""

    def __init__(self, settings: Properties) -> None:
        """Store the settings, and check the token, unless the settings disable that or the token is not known yet.

        Raises `PluginError` when the server refuses the token.
        """
        self._settings = settings
        self._lock = threading.Lock()
        self._client: gitlab.Gitlab | None = None
        self._enterprise: bool | None = None
        #: Lock of commits: GitLab refuses two commits on one branch at the same time.
        self.files = threading.Lock()
        known = not any(isinstance(settings.get(name), Unknown) for name in ("token", "baseUrl"))
        if known and settings.get("earlyAuthCheck") is not False:
            with refused("Unable to authenticate against GitLab"):
                self.get("user")

    def _connected(self) -> gitlab.Gitlab:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> gitlab.Gitlab:
        settings = self._settings
        token = settings.get("token") or os.environ.get("GITLAB_TOKEN")
        if not token:
            raise PluginError(
                "No GitLab token configured, either use the `token` provider argument or set it as `GITLAB_TOKEN` "
                "environment variable"
            )
        url = str(settings.get("baseUrl") or os.environ.get("GITLAB_BASE_URL") or "https://gitlab.com")
        url = url.rstrip("/").removesuffix(_API)
        connection = session(url)
        for name, value in (settings.get("headers") or {}).items():
            connection.headers[str(name)] = str(value)
        return gitlab.Gitlab(
            url,
            private_token=str(token),
            timeout=_TIMEOUT,
            session=connection,
            keep_base_url=True,
            retry_transient_errors=True,
        )

    def _send(self, method: str, path: str, *, query: Properties | None = None, body: Any = None) -> requests.Response:
        client = self._connected()
        try:
            return client.http_request(
                method,
                f"/{path}",
                query_data={name: _query(value) for name, value in (query or {}).items() if value is not None},
                post_data=body,
                max_retries=int(self._settings.get("retries") or _RETRIES),
            )
        except (GitlabHttpError, GitlabAuthenticationError) as error:
            address = urlsplit(f"{client.url}{_API}/{path}")
            url = f"{address.scheme}://{address.netloc}{unquote(address.path)}"
            text = self._hide(_message(error))
            raise GitLabApiError(method.upper(), url, error.response_code or 0, text) from None
        except (GitlabError, requests.RequestException) as error:
            raise PluginError(f"error talking to GitLab at {client.url}: {self._hide(cause(error))}") from None

    def _hide(self, text: str) -> str:
        """Remove the token from a text, in case the server repeats it."""
        token = self._settings.get("token") or os.environ.get("GITLAB_TOKEN")
        return text.replace(str(token), "***") if token else text

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON at a path.

        Raises `GitLabApiError` when refused, `PluginError` when the server is unreachable.
        """
        return _json(self._send("get", path, query=query))

    def find(self, path: str, **query: Any) -> Any:
        """Return the JSON at a path, or None if there is nothing."""
        try:
            return self.get(path, **query)
        except GitLabApiError as error:
            if error.missing:
                return None
            raise

    def all(self, path: str, **query: Any) -> list[Properties]:
        """Return every page of a list."""
        found: list[Properties] = []
        page = "1"
        while page:
            answer = self._send("get", path, query={**query, "per_page": _PAGE, "page": page})
            found.extend(_json(answer))
            page = answer.headers.get("X-Next-Page", "")
        return found

    def post(self, path: str, body: Any = None) -> Any:
        """Send a POST; return the JSON answer or None."""
        return _json(self._send("post", path, body=body))

    def put(self, path: str, body: Any, **query: Any) -> Any:
        """Send a PUT; return the JSON answer or None."""
        return _json(self._send("put", path, query=query, body=body))

    def patch(self, path: str, body: Any) -> Any:
        """Send a PATCH; return the JSON answer or None."""
        return _json(self._send("patch", path, body=body))

    def delete(self, path: str, **query: Any) -> None:
        """Send a DELETE."""
        self._send("delete", path, query=query)

    @property
    def enterprise(self) -> bool:
        """Whether the server is the Enterprise Edition. The answer is cached."""
        if self._enterprise is None:
            self._enterprise = bool((self.get("metadata") or {}).get("enterprise"))
        return self._enterprise


def wait(done: Callable[[], bool], what: str, seconds: float = 600.0) -> None:
    """Repeat `done` until it is true; raises `PluginError` after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = 0.05
    while not done():
        if time.monotonic() > deadline:
            raise PluginError(f"timeout while waiting for {what}")
        time.sleep(pause)
        pause = min(pause * 2, 2.0)


def _query(value: Any) -> Any:
    return ("true" if value else "false") if isinstance(value, bool) else value


def _json(answer: requests.Response) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError:
        return None


def _message(error: GitlabError) -> str:
    """Format the server's answer as the official client does: `{message: {name: [has already been taken]}}`."""
    body = error.response_body or b""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)
    if not text:
        return ""
    try:
        return _format(json.loads(text))
    except ValueError:
        return f"failed to parse unknown error format: {' '.join(text.split())}"


def _format(text: Any) -> str:
    if isinstance(text, dict):
        return ", ".join(sorted(f"{{{name}: {_format(value)}}}" for name, value in text.items()))
    if isinstance(text, list):
        return f"[{', '.join(_format(item) for item in text)}]"
    if isinstance(text, bool):
        return "true" if text else "false"
    return "" if text is None else str(text)
