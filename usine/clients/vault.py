"""Vault's API, by hvac."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import hvac  # type: ignore[import-untyped]
import requests

from usine.clients.base import ApiClient, Json
from usine.clients.session import TIMEOUT, RetryingSession


class VaultClient(ApiClient):
    """A Vault or OpenBao at `url`. Paths are as in Vault's documentation, without ``/v1``."""

    def __init__(self, url: str, token: str, *, namespace: str | None = None, verify: str | bool = True) -> None:
        """Prepare the session; nothing is sent yet."""
        super().__init__("Vault")
        api = hvac.Client(
            url,
            token,
            namespace=namespace,
            verify=verify,
            timeout=TIMEOUT,
            session=RetryingSession(verify),
            adapter=hvac.adapters.RawAdapter,
        )
        self._adapter = api.adapter

    def read(self, path: str) -> Json:
        """Return the data at a path, empty if nothing is there."""
        return (self.get(path) or {}).get("data") or {}

    def keys(self, path: str) -> Mapping[str, Json]:
        """Return the keys of a list, each with the details that the list itself has.

        Vault answers an empty list with 404 and no reason. A 404 with a reason, as where nothing is mounted, raises
        ClientError.
        """
        data = (self.get(path, list="true") or {}).get("data") or {}
        details: Mapping[str, Json] = data.get("key_info") or {}
        return {key: details.get(key) or {} for key in data.get("keys") or ()}

    def lookup(self, path: str, question: Mapping[str, str]) -> Json:
        """Return the data for a question that Vault wants posted, None if there is no such object."""
        answer = self._or_none("POST", path, json=dict(question))
        return answer and answer["data"]

    def _send(self, method: str, path: str, **options: Json) -> requests.Response:
        response: requests.Response = self._adapter.request(method, f"/v1/{path}", raise_exception=False, **options)
        return response

    def _is_absent(self, response: requests.Response) -> bool:
        """Return whether a 404 means that nothing is there: then `errors` is empty.

        Where nothing is mounted, or the path is not known, Vault gives a reason (`RespondErrorCommon` in Vault's and
        OpenBao's sdk/logical/response_util.go).
        """
        try:
            return response.status_code == HTTPStatus.NOT_FOUND and not response.json()["errors"]
        except (ValueError, LookupError, TypeError):
            return False
