# ruff: noqa: ANN401 - JSON of a server has any type
"""A client of Vault or OpenBao, with the official provider's settings, child token and error texts."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Final

import requests
from urllib3.util.retry import Retry

from lab.plugins.server import PluginError, RefusalError
from lab.plugins.sessions import cause, session
from lab.plugins.wire import Properties

_TIMEOUT: Final = 60
_TRUE: Final = frozenset({"1", "t", "true"})


class RefusedError(RefusalError):
    """The server refused a request; `status` is its HTTP status, `errors` are its messages."""

    def __init__(self, method: str, url: str, answer: requests.Response) -> None:
        """Make the official client's message, but in one line."""
        self.status = answer.status_code
        try:
            messages = answer.json().get("errors") or []
        except ValueError:
            messages = [answer.text] if answer.text else []
        self.errors = [" ".join(str(item).split()) for item in messages]
        listed = " ".join(f"* {error}" for error in self.errors)
        super().__init__(f"Error making API request. URL: {method} {url} Code: {self.status}. Errors: {listed}")


class VaultPluginClient:
    """A client that many threads can share. It logs in at the first request."""

    def __init__(self, settings: Properties) -> None:
        """Store the settings."""
        self._settings = settings
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._address = str(settings.get("address") or os.environ.get("VAULT_ADDR") or "")
        self._namespace = str(settings.get("namespace") or os.environ.get("VAULT_NAMESPACE") or "").strip("/")

    def _flag(self, name: str, variable: str) -> bool:
        value = self._settings.get(name)
        return os.environ.get(variable, "").lower() in _TRUE if value is None else bool(value)

    def _connected(self) -> requests.Session:
        with self._lock:
            if self._session is None:
                self._session = self._connect()
            return self._session

    def _connect(self) -> requests.Session:
        settings = self._settings
        if not self._address:
            raise PluginError("failed to configure Vault address: set vault:address or VAULT_ADDR")
        token = settings.get("token") or os.environ.get("VAULT_TOKEN") or _token_file()
        if not token:
            raise PluginError("no vault token set on Client")
        ca = settings.get("caCertFile") or os.environ.get("VAULT_CACERT") or os.environ.get("VAULT_CAPATH")
        retries = Retry(
            total=int(settings.get("maxRetries") or os.environ.get("VAULT_MAX_RETRIES") or 2),
            status_forcelist=(500, 502, 503, 504),
            allowed_methods=None,
            # The official plugin waits for a second. Each object tries again, one after another, if the server is down.
            backoff_factor=0.1,
            raise_on_status=False,
        )
        made = session(self._address, retries)
        made.verify = False if self._flag("skipTlsVerify", "VAULT_SKIP_VERIFY") else (ca or True)
        made.headers.update({"X-Vault-Token": str(token), "X-Vault-Request": "true"})
        if not self._flag("skipChildToken", "TERRAFORM_VAULT_SKIP_CHILD_TOKEN"):
            made.headers["X-Vault-Token"] = self._child_token(made)
        if self._namespace:
            made.headers["X-Vault-Namespace"] = self._namespace
        return made

    def _child_token(self, connection: requests.Session) -> str:
        """Create a short-lived child token, so that a leaked token soon expires."""
        ttl = f"{int(self._settings.get('maxLeaseTtlSeconds') or os.environ.get('TERRAFORM_VAULT_MAX_TTL') or 1200)}s"
        name = self._settings.get("tokenName") or os.environ.get("VAULT_TOKEN_NAME") or "terraform"
        body = {"display_name": name, "ttl": ttl, "explicit_max_ttl": ttl, "renewable": False}
        try:
            answer = self._send(connection, "POST", "auth/token/create", body)
        except RefusedError as fault:
            raise PluginError(f"failed to create limited child token: {fault}") from None
        return str(answer["auth"]["client_token"])

    def _send(self, connection: requests.Session, method: str, path: str, body: Properties | None) -> Any:
        url = f"{self._address.rstrip('/')}/v1/{path.lstrip('/')}"
        try:
            # Passed with each request, because a bundle in the environment overrides the session's (psf/requests#3829).
            verify = connection.verify
            answer = connection.request(method, url, json=body, timeout=_TIMEOUT, verify=verify)
        except requests.RequestException as error:
            raise PluginError(f"error talking to Vault at {self._address}: {cause(error)}") from None
        if not answer.ok:
            raise RefusedError(method, url, answer)
        return answer.json() if answer.content else None

    def request(self, method: str, path: str, body: Properties | None = None) -> Any:
        """Send a request in the provider's namespace; return the JSON answer or None.

        Raises `RefusedError` when the server refuses, `PluginError` when it cannot be reached.
        """
        return self._send(self._connected(), method, path, body)

    def read(self, path: str) -> Properties | None:
        """Return the `data` of a path, or None if there is nothing."""
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
