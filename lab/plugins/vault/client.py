# ruff: noqa: ANN401 - JSON from a server
"""Requests to Vault or OpenBao, with the official provider's settings, child token and error texts."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Final

import hvac  # type: ignore[import-untyped]
import requests
from hvac.exceptions import InvalidPath, VaultError  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from lab.plugins.server import PluginError, RefusalError, proxied
from lab.plugins.wire import Properties

_POOL: Final = 64
_TRUE: Final = frozenset({"1", "t", "true"})


class RefusedError(RefusalError):
    """The server refused a request; `status` is its HTTP status, `errors` its own sentences."""

    def __init__(self, method: str, url: str, status: int, errors: list[str]) -> None:
        """Word it in one line, as the official client does in several."""
        self.status = status
        self.errors = errors
        listed = " ".join(f"* {error}" for error in errors)
        super().__init__(f"Error making API request. URL: {method} {url} Code: {status}. Errors: {listed}")


class Vault:
    """A connection that many threads may share; logs in at the first request."""

    def __init__(self, settings: Properties) -> None:
        """Keep the settings."""
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None
        self.namespace: str = str(settings.get("namespace") or os.environ.get("VAULT_NAMESPACE") or "")

    def _flag(self, name: str, variable: str, default: bool) -> bool:
        value = self._settings.get(name)
        if value is None:
            text = os.environ.get(variable, "")
            return text.lower() in _TRUE if text else default
        return bool(value)

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        settings = self._settings
        address = settings.get("address") or os.environ.get("VAULT_ADDR")
        if not address:
            raise PluginError("failed to configure Vault address: set vault:address or VAULT_ADDR")
        token = settings.get("token") or os.environ.get("VAULT_TOKEN") or _token_file()
        if not token:
            raise PluginError("no vault token set on Client")
        ca = settings.get("caCertFile") or os.environ.get("VAULT_CACERT")
        ca = ca or os.environ.get("VAULT_CAPATH")
        session = requests.Session()
        session.trust_env = proxied(str(address))
        retries = Retry(
            total=int(settings.get("maxRetries") or os.environ.get("VAULT_MAX_RETRIES") or 2),
            status_forcelist=(500, 502, 503, 504),
            allowed_methods=None,
            backoff_factor=0.5,
            raise_on_status=False,
        )
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=_POOL, max_retries=retries)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        session.verify = False if self._flag("skipTlsVerify", "VAULT_SKIP_VERIFY", False) else (ca or True)
        client = hvac.Client(
            url=str(address), token=str(token), session=session, verify=session.verify, timeout=60, namespace=None
        )
        if not self._flag("skipChildToken", "TERRAFORM_VAULT_SKIP_CHILD_TOKEN", False):
            client.token = self._child_token(client)
        return client

    def _child_token(self, client: Any) -> str:
        """Work with a short-lived child of the token given, so that a leak of it ends by itself."""
        ttl = f"{int(self._settings.get('maxLeaseTtlSeconds') or os.environ.get('TERRAFORM_VAULT_MAX_TTL') or 1200)}s"
        name = self._settings.get("tokenName") or os.environ.get("VAULT_TOKEN_NAME") or "terraform"
        body = {"display_name": name, "ttl": ttl, "explicit_max_ttl": ttl, "renewable": False}
        try:
            answer = self._send(client, "POST", "auth/token/create", body, "")
        except RefusedError as fault:
            raise PluginError(f"failed to create limited child token: {fault}") from None
        return str(answer["auth"]["client_token"])

    def _send(self, client: Any, method: str, path: str, body: Properties | None, namespace: str) -> Any:
        headers = {"X-Vault-Namespace": namespace} if namespace else None
        try:
            answer = client.adapter.request(method, f"/v1/{path.lstrip('/')}", headers=headers, json=body)
        except VaultError as error:
            url = f"{client.url}/v1/{path.lstrip('/')}"
            raise RefusedError(method, url, _status(error), _sentences(error)) from None
        except requests.RequestException as error:
            raise PluginError(f"error talking to Vault at {client.url}: {_cause(error)}") from None
        return answer if isinstance(answer, dict) else None

    def request(self, method: str, path: str, body: Properties | None = None) -> Any:
        """Send a request in the provider's namespace; return the JSON answer or None.

        Raises `RefusedError` when the server refuses, `PluginError` when it cannot be reached.
        """
        return self._send(self._connected(), method, path, body, self.namespace.strip("/"))

    def read(self, path: str) -> Properties | None:
        """Return the `data` of a path, or None when there is nothing at it."""
        try:
            answer = self.request("GET", path)
        except RefusedError as fault:
            if fault.status == requests.codes.not_found:
                return None
            raise
        return None if answer is None else answer.get("data")

    def write(self, path: str, body: Properties) -> Properties | None:
        """Write to a path; return the `data` of the answer, if any."""
        answer = self.request("PUT", path, body)
        return None if answer is None else answer.get("data")

    def delete(self, path: str) -> None:
        """Delete a path."""
        self.request("DELETE", path)


def _token_file() -> str | None:
    try:
        return (Path.home() / ".vault-token").read_text(encoding="utf-8").strip() or None
    except (OSError, RuntimeError):
        return None


def _status(error: VaultError) -> int:
    names = {
        "InvalidRequest": 400, "Unauthorized": 401, "Forbidden": 403, "InvalidPath": 404, "RateLimitExceeded": 429,
        "InternalServerError": 500, "VaultNotInitialized": 501, "BadGateway": 502, "VaultDown": 503,
    }  # fmt: skip
    return 404 if isinstance(error, InvalidPath) else names.get(type(error).__name__, 0)


def _sentences(error: VaultError) -> list[str]:
    raw = error.errors or ([error.text] if error.text else [])
    return [" ".join(str(item).split()) for item in raw]


def _cause(error: BaseException) -> str:
    """Name the root of a chain of wrapped connection errors in a few words."""
    reason = getattr(error.args[0], "reason", error) if error.args else error
    return " ".join(str(reason).split())
