"""A client of a JSON API without a library of its own."""

from __future__ import annotations

import requests

from usine.clients.base import ApiClient, Json
from usine.clients.session import TIMEOUT, RetryingSession


class RestClient(ApiClient):
    """Requests below `base`, a URL without a final slash. `verify` is as in `requests`."""

    def __init__(self, system: str, base: str, *, verify: str | bool = True) -> None:
        """Prepare the session; nothing is sent yet."""
        super().__init__(system)
        self._base = base
        self.session = RetryingSession(verify)

    def _send(self, method: str, path: str, **options: Json) -> requests.Response:
        # `requests` prefers variables of this process to values of the session, but not to values of the request.
        return self.session.request(
            method,
            f"{self._base}/{path}",
            verify=self.session.verify,
            proxies={**self.session.proxies},
            timeout=TIMEOUT,
            **options,
        )
