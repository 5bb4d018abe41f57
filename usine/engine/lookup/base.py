"""What a system must offer to have its objects found again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Protocol

import requests

Inputs = Mapping[str, Any]
Find = Callable[[Inputs], str | None]
Remove = Callable[[Inputs], bool]

TIMEOUT = 30


class LookError(Exception):
    """A system could not be looked at; one line for people, without any secret."""


class System(Protocol):
    """One system, reached with the plugins' own credentials."""

    def finders(self) -> Mapping[str, Find]:
        """Return by resource type what finds an object's id."""

    def removers(self) -> Mapping[str, Remove]:
        """Return by resource type what takes an unusable object away."""


class Rest:
    """Requests to one API; answers are JSON. `verify` is as in `requests`.

    An object that is not found is None. A list that is not found is an error: the API lacks it, the feature is off, or
    something else answers at this address, and nobody has looked.
    """

    def __init__(
        self, base: str, *, verify: str | bool = True, absent: Callable[[requests.Response], bool] = lambda _: True
    ) -> None:
        """Start a session below `base`, a URL without a final slash. `absent` says if a 404 means «not found»."""
        self._base = base
        self._absent = absent
        self.session = requests.Session()
        # Harbor takes who sends its cookie back for a browser, and then asks for a token against forged requests.
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._verify = verify

    def call(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - JSON
        """Send a request; None for «not found» and «no content». Raises requests.RequestException."""
        response = self._send(method, path, **options)
        if response.status_code == requests.codes.not_found and self._absent(response):
            return None
        return self._content(response)

    def listed(self, path: str, *, of: str | None = None, **options: Any) -> Any:  # noqa: ANN401 - JSON
        """Return what a list answers. Raises requests.RequestException, also for a list that is not found.

        `of` is the path of the object that the list belongs to: if that is gone, so is what was in it (None).
        """
        response = self._send("GET", path, **options)
        gone = response.status_code == requests.codes.not_found and of is not None and self.call("GET", of) is None
        return None if gone else self._content(response)

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 - of `requests`
        return self.session.request(method, f"{self._base}/{path}", verify=self._verify, timeout=TIMEOUT, **options)

    @staticmethod
    def _content(response: requests.Response) -> Any:  # noqa: ANN401 - JSON
        response.raise_for_status()
        return response.json() if response.content else None

    def pages(self, path: str, parameter: str = "per_page", *, of: str | None = None, **query: str) -> Iterable[Any]:
        """Yield the items of every page of a list; see `listed`."""
        for page in range(1, 1000):
            items = self.listed(path, of=of, params={**query, "page": str(page), parameter: "100"}) or []
            yield from items
            if len(items) < 100:  # noqa: PLR2004 - a page that is not full is the last
                return


def first_id(items: Iterable[Mapping[str, Any]] | None, key: str, value: object) -> str | None:
    """Return the id of the first item whose field `key` has this value."""
    return next((str(item["id"]) for item in items or () if item.get(key) == value), None)
