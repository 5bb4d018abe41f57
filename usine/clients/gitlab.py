"""GitLab's API, by python-gitlab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

import gitlab
import requests

from usine.clients.base import PAGE, ApiClient, Json
from usine.clients.errors import ClientError, refusal
from usine.clients.session import TIMEOUT, RetryingSession


class GitLabClient(ApiClient):
    """A GitLab at `url`. `api` is python-gitlab's own client, for callers that work with its objects.

    `retry_writes`: after a transient failure, requests that write are sent again as well.
    """

    def __init__(self, url: str, token: str, *, verify: str | bool = True, retry_writes: bool = False) -> None:
        """Prepare the session; nothing is sent yet."""
        super().__init__("GitLab")
        self.session = RetryingSession(verify, writes=retry_writes)
        self.api = gitlab.Gitlab(
            url,
            private_token=token,
            ssl_verify=verify,
            timeout=TIMEOUT,
            keep_base_url=True,
            session=self.session,
        )

    def _send(self, method: str, path: str, **options: Json) -> requests.Response:
        query, body = options.get("params"), options.get("json")
        # The session already waits when GitLab limits requests: python-gitlab would wait once more.
        return self.api.http_request(method, f"/{path}", query, body, obey_rate_limit=False)

    def _pages(self, path: str, query: Mapping[str, str]) -> Iterator[Json]:
        """Follow GitLab's `Link` headers."""
        with self._translated("GET", path):
            yield from self.api.http_list(f"/{path}", {**query}, iterator=True, per_page=PAGE, obey_rate_limit=False)

    @contextmanager
    def _translated(self, method: str, path: str) -> Iterator[None]:
        with super()._translated(method, path):
            try:
                yield
            except gitlab.GitlabError as error:
                status = error.response_code
                if status is None:
                    kind = type(error).__name__
                    raise ClientError(f"{self.system}: {method} {path}: {kind}", reason=kind) from None
                absent = status == HTTPStatus.NOT_FOUND
                raise refusal(self.system, method, path, status, absent=absent) from None


def gitlab_of_pipeline(
    api: str, token: str, environment: Mapping[str, str], *, retry_writes: bool = False
) -> GitLabClient:
    """Return a client of the GitLab that runs this pipeline; `api` is its CI_API_V4_URL."""
    authority = environment.get("CI_SERVER_TLS_CA_FILE") or environment.get("SSL_CERT_FILE") or True
    url = api.rstrip("/").removesuffix("/api/v4")
    client = GitLabClient(url, token, verify=authority, retry_writes=retry_writes)
    client.session.max_redirects = 0  # the token is for this server alone
    return client
