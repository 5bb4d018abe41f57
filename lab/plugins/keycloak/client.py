# ruff: noqa: ANN401 - JSON of a server has any type
"""A client of Keycloak's admin API, with the official provider's settings, log-in and error texts."""

from __future__ import annotations

import ssl
import threading
from typing import Any, Final
from urllib.parse import quote

from lab.plugins.http import httpx
from lab.plugins.server import PluginError, RefusalError, proxied
from lab.plugins.wire import Properties

_NOT_FOUND: Final = 404
_RETRY_LOGIN: Final = (401, 403)
#: Setting -> environment variable that is used if the program does not set it.
ENVIRONMENT: Final = {
    "url": "KEYCLOAK_URL",
    "clientId": "KEYCLOAK_CLIENT_ID",
    "clientSecret": "KEYCLOAK_CLIENT_SECRET",
    "username": "KEYCLOAK_USER",
    "password": "KEYCLOAK_PASSWORD",
    "realm": "KEYCLOAK_REALM",
    "clientTimeout": "KEYCLOAK_CLIENT_TIMEOUT",
}


class KeycloakApiError(RefusalError):
    """The server refused a request; `status` is its HTTP status."""

    def __init__(self, method: str, path: str, response: httpx.Response) -> None:
        """Make the official client's message, in one line."""
        self.status = response.status_code
        message = f"error sending {method} request to {path}: {response.status_code} {response.reason_phrase}."
        body = " ".join(response.text.split())
        super().__init__(f"{message} Response body: {body}" if body else message)

    @property
    def missing(self) -> bool:
        """Whether the object does not exist."""
        return self.status == _NOT_FOUND


class KeycloakPluginClient:
    """A client that many threads can share. It logs in at once."""

    def __init__(self, settings: Properties) -> None:
        """Log in; raises `PluginError` when the settings are inconsistent or the log-in fails."""
        self._settings = settings
        self._base = str(settings.get("url", ""))
        self._form = self._grant()
        self._http = self._make_http()
        self._lock = threading.Lock()
        self._token = ""
        try:
            self._login()
        except PluginError as error:
            raise PluginError(f"failed to perform initial login to Keycloak: {error}") from None

    def _grant(self) -> dict[str, str]:
        """Return the form of the token request."""
        settings = self._settings
        client = str(settings.get("clientId", ""))
        secret = {"client_secret": str(settings["clientSecret"])} if settings.get("clientSecret") else {}
        if settings.get("username") and settings.get("password"):
            if not client:
                raise PluginError("client_id is required for password grant authentication")
            person = {"username": str(settings["username"]), "password": str(settings["password"])}
            return {"client_id": client, "grant_type": "password", **person, **secret}
        if secret:
            if not client:
                raise PluginError("client_id is required for client secret authentication")
            return {"client_id": client, "grant_type": "client_credentials", **secret}
        raise PluginError(
            "must specify client id, username and password for password grant, or client id and client secret for "
            "client credentials grant"
        )

    def _make_http(self) -> httpx.Client:
        settings = self._settings
        verify: bool | ssl.SSLContext = True
        if settings.get("rootCaCertificate"):
            try:
                verify = ssl.create_default_context(cadata=str(settings["rootCaCertificate"]))
            except ssl.SSLError as error:
                raise PluginError(f"keycloak:rootCaCertificate is not a PEM certificate: {error.reason}") from None
        return httpx.Client(
            verify=verify,
            timeout=float(settings.get("clientTimeout") or 15),
            trust_env=proxied(self._base),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
        )

    def _login(self) -> None:
        realm = self._settings.get("realm") or "master"
        url = f"{self._base}/realms/{realm}/protocol/openid-connect/token"
        try:
            response = self._http.post(url, data=self._form)
        except httpx.HTTPError as error:
            raise PluginError(f"error sending POST request to {url}: {_cause(error)}") from None
        if response.status_code != httpx.codes.OK:
            raise PluginError(f"error sending POST request to {url}: {response.status_code} {response.reason_phrase}")
        self._token = str(response.json()["access_token"])

    def _renew(self, stale: str) -> None:
        """Log in again, unless another thread did so in the meantime."""
        with self._lock:
            if self._token == stale:
                self._login()

    def refresh(self) -> None:
        """Get a new token, because the old one has no rights on a realm created later."""
        self._renew(self._token)

    def _send(self, method: str, path: str, body: Any = None, params: dict[str, str] | None = None) -> httpx.Response:
        url = f"{self._base}/admin{path}"
        for last in (False, True):
            token = self._token
            try:
                response = self._http.request(
                    method,
                    url,
                    json=body,
                    params=params,
                    headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
                )
            except httpx.HTTPError as error:
                # Like Go (net/http, `Request.isReplayable`), repeat a read-only request if the server closed the
                # connection.
                if method == "GET" and not last and isinstance(error, httpx.TransportError):
                    continue
                raise PluginError(f"error sending request: {method} {url}: {_cause(error)}") from None
            if last or response.status_code not in _RETRY_LOGIN:
                break
            self._renew(token)  # a token expires after a minute, and one older than a realm has no rights on it
        if response.status_code >= httpx.codes.BAD_REQUEST:
            raise KeycloakApiError(method, f"/admin{path}", response)
        return response

    def get(self, path: str, params: dict[str, str] | None = None) -> Any:
        """Return the JSON at a path; raises `KeycloakApiError` when the server refuses."""
        response = self._send("GET", path, params=params)
        return response.json() if response.content else None

    def post(self, path: str, body: Any) -> tuple[Any, str]:
        """Send a POST; return the answer and the id of the created object, if any."""
        response = self._send("POST", path, body)
        return (response.json() if response.content else None), response.headers.get("Location", "").rsplit("/", 1)[-1]

    def put(self, path: str, body: Any = None) -> None:
        """Send a PUT."""
        self._send("PUT", path, body)

    def delete(self, path: str, body: Any = None) -> None:
        """Send a DELETE; raises `KeycloakApiError`, also if the object does not exist."""
        self._send("DELETE", path, body)


def segment(text: str) -> str:
    """Quote one segment of a path."""
    return quote(text, safe="")


def _cause(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
