"""What every client offers: objects, lists and their pages, with each failure as a `ClientError`."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import requests

from usine.clients.errors import AbsentError, ClientError, NoAnswerError, refusal

Json = Any

#: The number of items asked for at once: the most that GitLab and Harbor give.
PAGE: Final = 100
#: A list with more pages is taken for one without an end.
_MOST_PAGES: Final = 10_000


class ApiClient(ABC):
    """Requests to the API of one system, from several threads. Every method raises ClientError.

    After a request without an answer (no connection, time-out), later requests fail at once: a scan of hundreds of
    objects does not wait for a system that is down.
    """

    #: The query parameter for the number of items on a page.
    _page_size: str = "per_page"

    def __init__(self, system: str) -> None:
        """Keep the name of the system, for error messages."""
        self.system = system
        self._down = threading.Event()

    @abstractmethod
    def _send(self, method: str, path: str, **options: Json) -> requests.Response:
        """Send one request; `options` are those of `requests`. May raise ClientError or requests.RequestException."""

    def _is_absent(self, response: requests.Response) -> bool:
        """Return whether an answer means that the object is not there."""
        return response.status_code == HTTPStatus.NOT_FOUND

    def request(self, method: str, path: str, **options: Json) -> Json:
        """Return the JSON answer, None for an empty one. Raises AbsentError if there is no such object or list."""
        with self._translated(method, path):
            response = self._send(method, path, **options)
            if not response.ok:
                raise refusal(self.system, method, path, response.status_code, absent=self._is_absent(response))
            return response.json() if response.content else None

    def get(self, path: str, **query: str) -> Json:
        """Return an object, None if it is not there."""
        return self._or_none("GET", path, params=query)

    def delete(self, path: str) -> None:
        """Delete an object. One that is not there is no error."""
        self._or_none("DELETE", path)

    def listed(self, path: str, *, of: str | None = None, **query: str) -> Json:
        """Return the answer of a list. Raises AbsentError if the list is not found.

        Then the API lacks it, its feature is off, or something else answers at this address: the list is not empty, it
        could not be read. `of` is the path of the object that the list belongs to: if this object is gone, so is what
        was in it, and the answer is None.
        """
        try:
            return self.request("GET", path, params=query)
        except AbsentError:
            if of is None or self.get(of) is not None:
                raise
            return None

    def pages(self, path: str, *, of: str | None = None, **query: str) -> Iterator[Json]:
        """Yield the items of all pages of a list; `of` as for `listed`."""
        try:
            yield from self._pages(path, query)
        except AbsentError:
            if of is None or self.get(of) is not None:
                raise

    def _pages(self, path: str, query: Mapping[str, str]) -> Iterator[Json]:
        """Ask for one page after the other, until one is not full."""
        for number in range(1, _MOST_PAGES):
            page = {"page": str(number), self._page_size: str(PAGE)}
            items = self.request("GET", path, params={**query, **page}) or ()
            yield from items
            if len(items) < PAGE:
                return
        raise ClientError(f"{self.system}: {path} has more than {_MOST_PAGES} pages")

    def _or_none(self, method: str, path: str, **options: Json) -> Json:
        try:
            return self.request(method, path, **options)
        except AbsentError:
            return None

    @contextmanager
    def _translated(self, method: str, path: str) -> Iterator[None]:
        """Turn errors of `requests` into ClientError, without their texts: these may quote a header or an address."""
        if self._down.is_set():
            raise NoAnswerError(f"{self.system} does not answer", reason="ConnectionError")
        try:
            yield
        except requests.HTTPError as error:
            raise refusal(self.system, method, path, error.response.status_code) from None
        except (requests.ConnectionError, requests.Timeout) as error:
            self._down.set()
            raise NoAnswerError(f"{self.system} does not answer", reason=type(error).__name__) from None
        except requests.RequestException as error:
            kind = type(error).__name__
            raise ClientError(f"{self.system}: {method} {path}: {kind}", reason=kind) from None


def first_id(items: Iterable[Mapping[str, Any]] | None, key: str, value: object) -> str | None:
    """Return the id of the first item whose field `key` has this value."""
    return next((str(item["id"]) for item in items or () if item.get(key) == value), None)
