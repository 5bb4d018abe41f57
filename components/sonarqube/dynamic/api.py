"""A client of SonarQube's Web API, with bounded retries and errors of one line."""

from __future__ import annotations

import os
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import requests
from requests.adapters import HTTPAdapter

#: The environment variable with the token; SonarSource's own tools use the same one.
TOKEN_VARIABLE = "SONAR_TOKEN"  # noqa: S105 - a name
_ATTEMPTS = 6
#: Seconds to connect, and seconds between two parts of a response.
_TIMEOUT = (10.0, 120.0)
_LONGEST_WAIT = 30.0
#: The largest page of the second API.
_V2_PAGE = 500
#: The server reports that it did not execute the request.
_REFUSED_FOR_NOW = {429, 503}
#: A gateway lost the response. Only requests that read are repeated.
_LOST = {502, 504}
_LONGEST_MESSAGE = 300

Json = Any
Form = Mapping[str, str | Sequence[str] | None]


class SonarError(Exception):
    """SonarQube refused a request or does not answer. The message is one line for the user, without secrets."""


class NotFoundError(SonarError):
    """The object does not exist."""


class _Bearer(requests.auth.AuthBase):
    """Adds the token. With a plain header instead, `requests` would prefer an entry of ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Trusting(HTTPAdapter):
    """Trusts an authority that is given as text: a path in the state would be wrong on other machines."""

    def __init__(self, authority: str) -> None:
        self._context = ssl.create_default_context(cadata=authority)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - urllib3's own parameters
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ANN401 - `requests`' own signature
        """Rely on the context only: `requests` would add the public authorities."""
        conn.cert_reqs = "CERT_REQUIRED"


class Client:
    """A client of the SonarQube at `url` (with its context path). It trusts `authority` (PEM text) or public ones.

    Each request reads the token from the environment; the client does not keep it. Every method raises SonarError, and
    NotFoundError for a response with status 404.
    """

    #: Size of a page of the first API: the largest that all its calls accept.
    page = 100

    def __init__(
        self,
        url: str,
        authority: str | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Create the client, without a request. Raises SonarError if `authority` is not PEM text."""
        self._url = url.rstrip("/")
        self._environment = os.environ if environment is None else environment
        self._sleep = sleep
        self._session = requests.Session()
        if authority:
            try:
                self._session.mount("https://", _Trusting(authority))
            except ssl.SSLError:
                raise SonarError("the certificate authority given for SonarQube is not PEM text") from None

    def get(self, path: str, **query: str | None) -> Json:
        """Return the JSON response to a GET; parameters that are None are not sent."""
        return self._send("GET", path, params=query)

    def pages(self, path: str, items: str, **query: str | None) -> Iterator[Json]:
        """Yield the entries of a list of the first API, page by page; `items` is its key in the response."""
        number = seen = 0
        while True:
            number += 1
            answer = self.get(path, p=str(number), ps=str(self.page), **query)
            yield from answer[items]
            seen += len(answer[items])
            if not answer[items] or seen >= answer["paging"]["total"]:
                return

    def post(self, path: str, **form: str | Sequence[str] | None) -> Json:
        """Return the JSON response to a POST (None without a body); form fields that are None are not sent."""
        return self._send("POST", path, data={key: value for key, value in form.items() if value is not None})

    def v2(self, method: str, path: str, body: Json = None, **query: str) -> Json:
        """Return the JSON response of the second API; `path` begins with a slash and does not contain /api/v2."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Content-Type": kind} if body is not None else {}
        return self._send(method, f"/api/v2{path}", params=query, json=body, headers=headers)

    def v2_pages(self, path: str, items: str, **query: str) -> Iterator[Json]:
        """Yield the entries of a list of the second API, page by page; `items` is its key in the response."""
        number = seen = 0
        while True:
            number += 1
            answer = self.v2("GET", path, pageIndex=str(number), pageSize=str(_V2_PAGE), **query)
            yield from answer[items]
            seen += len(answer[items])
            if not answer[items] or seen >= answer["page"]["total"]:
                return

    def _send(self, method: str, path: str, **arguments: Any) -> Json:  # noqa: ANN401 - passed on to requests
        what = f"SonarQube {method} {path}"
        token = self._environment.get(TOKEN_VARIABLE)
        if not token:
            raise SonarError(f"{what}: no token: set {TOKEN_VARIABLE}")
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            try:
                response = self._session.request(
                    method,
                    self._url + path,
                    auth=_Bearer(token),
                    timeout=_TIMEOUT,
                    allow_redirects=False,
                    **arguments,
                )
            except requests.RequestException as error:
                if last or not (_never_arrived(error) or (method == "GET" and _transient(error))):
                    raise SonarError(f"{what}: {self._url} does not answer: {_reason(error)}") from None
                self._sleep(_backoff(attempt))
                continue
            again = _REFUSED_FOR_NOW if method != "GET" else _REFUSED_FOR_NOW | _LOST
            if response.status_code in again and not last:
                self._sleep(_asked_to_wait(response) or _backoff(attempt))
                continue
            return _content(what, response, token)
        raise AssertionError  # the last attempt returns or raises


def _content(what: str, response: requests.Response, token: str) -> Json:
    status = response.status_code
    if status == requests.codes.unauthorized:
        raise SonarError(f"{what}: HTTP 401: the token in {TOKEN_VARIABLE} is not accepted")
    if not requests.codes.ok <= status < requests.codes.multiple_choices:
        message = _message(response).replace(token, "***")
        if status == requests.codes.forbidden:
            message = (
                f"{message or 'refused'} (the account of {TOKEN_VARIABLE} may lack `admin` or `scan` on the project)"
            )
        kind = NotFoundError if status == requests.codes.not_found else SonarError
        raise kind(f"{what}: HTTP {status}" + (f": {message}" if message else ""))
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        raise SonarError(f"{what}: the answer is not JSON: is this SonarQube's address?") from None


def _message(response: requests.Response) -> str:
    """Return SonarQube's message (`errors[].msg` in the first API, `message` in the second), as one short line."""
    try:
        body = response.json()
        found = "; ".join(str(e["msg"]) for e in body["errors"]) if "errors" in body else str(body["message"])
    except (ValueError, LookupError, TypeError):
        found = ""
    line = " ".join(found.split())
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]}..."


def _never_arrived(error: requests.RequestException) -> bool:
    """Return whether there was no connection: then the server did nothing, and even a POST can be repeated."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    return isinstance(error, requests.ConnectionError) and "NewConnectionError" in repr(error)


def _transient(error: requests.RequestException) -> bool:
    return isinstance(error, requests.ConnectionError | requests.Timeout) and not isinstance(
        error, requests.exceptions.SSLError
    )


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.Timeout):
        return "time-out"
    return "connection refused or lost" if isinstance(error, requests.ConnectionError) else type(error).__name__


def _asked_to_wait(response: requests.Response) -> float | None:
    """Return the seconds of Retry-After, with an upper limit; None if it is not a number."""
    try:
        return min(_LONGEST_WAIT, max(0.0, float(response.headers["Retry-After"])))
    except (LookupError, ValueError):
        return None


def _backoff(attempt: int) -> float:
    """Return the seconds to wait: 0.5, doubled each time, plus a random part, so that clients retry at other times."""
    base: float = 0.5 * 2 ** (attempt - 1)
    return min(_LONGEST_WAIT, base + random.uniform(0, base))  # noqa: S311 - not a secret
