"""The HTTP session that all clients share: retries, time-outs, no cookies, and no credential to another host."""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from typing import Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

#: Seconds: to connect, and between two pieces of an answer.
TIMEOUT: Final = 30.0
#: How many requests run at the same time, over all systems.
CONCURRENCY: Final = 8
#: A GET is sent again when the system is throttled or starting, after the time that the system asks for.
_RETRIES: Final = Retry(
    total=None,
    connect=1,
    read=1,
    status=6,
    other=0,
    redirect=5,
    status_forcelist={429, 502, 503, 504},
    allowed_methods={"GET"},
    backoff_factor=0.5,
    backoff_max=30,
    respect_retry_after_header=True,
    raise_on_status=False,
)
#: For a client that finds out by itself whether a lost answer was a write that succeeded. python-gitlab waits for 429.
_RETRIES_OF_WRITES: Final = _RETRIES.new(allowed_methods=None, status_forcelist={500, 502, 503, 504})
#: Headers with a credential that `requests` does not know, and would send to another host after a redirect.
_CREDENTIAL_HEADERS: Final = ("PRIVATE-TOKEN", "X-Vault-Token")


class RetryingAdapter(HTTPAdapter):
    """Sends a GET again after a transient failure, with `writes` every request."""

    def __init__(self, *, writes: bool = False) -> None:
        """Prepare the pool of connections."""
        super().__init__(pool_maxsize=CONCURRENCY, max_retries=_RETRIES_OF_WRITES if writes else _RETRIES)


class RetryingSession(requests.Session):
    """A session that sends a GET again after a transient failure, with `writes` every request.

    `verify` is as in `requests`.
    """

    def __init__(self, verify: str | bool = True, *, writes: bool = False) -> None:
        """Prepare the session; nothing is sent yet."""
        super().__init__()
        self.verify = verify
        # Harbor takes a client that returns its cookie for a browser, and then asks for a CSRF token.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.mount(scheme, RetryingAdapter(writes=writes))

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Remove the credentials from a request that a redirect sends to another host."""
        if self.should_strip_auth(response.request.url, prepared_request.url):  # type: ignore[no-untyped-call] # incomplete stub
            for header in _CREDENTIAL_HEADERS:
                prepared_request.headers.pop(header, None)
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call] # incomplete stub
