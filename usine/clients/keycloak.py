"""Keycloak's administration API."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import requests

from usine.clients.rest import RestClient
from usine.clients.session import TIMEOUT, RetryingSession

#: Seconds before the end of a token at which the client asks for another.
_MARGIN = 20.0


class KeycloakToken(requests.auth.AuthBase):
    """Adds a token to each request, and renews it before it ends: tokens of the realm `master` live one minute."""

    def __init__(self, url: str, form: Mapping[str, str], verify: str | bool) -> None:
        """Keep the address of tokens and the form that asks for one."""
        self._url = url
        self._form = form
        self._session = RetryingSession(verify)
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Raise requests.RequestException when Keycloak gives no token."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._renew()
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _renew(self) -> None:
        asked = time.monotonic()
        response = self._session.post(self._url, data=self._form, verify=self._session.verify, timeout=TIMEOUT)
        response.raise_for_status()
        answer = response.json()
        self._token = str(answer["access_token"])
        self._until = asked + float(answer["expires_in"]) - _MARGIN


class KeycloakClient(RestClient):
    """A Keycloak at `url`; paths begin with a realm. `form` asks the realm `realm` for a token."""

    def __init__(self, url: str, realm: str, form: Mapping[str, str], *, verify: str | bool = True) -> None:
        """Prepare the session; nothing is sent yet."""
        super().__init__("Keycloak", f"{url}/admin/realms", verify=verify)
        self.session.auth = KeycloakToken(f"{url}/realms/{realm}/protocol/openid-connect/token", form, verify)


def token_form(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the form that asks for a token, from the variables that the provider plugin reads.

    KEYCLOAK_CLIENT_ID with KEYCLOAK_CLIENT_SECRET, or with KEYCLOAK_USER and KEYCLOAK_PASSWORD.
    """
    form = {"client_id": environment.get("KEYCLOAK_CLIENT_ID", "admin-cli")}
    if "KEYCLOAK_CLIENT_SECRET" in environment:
        secret = environment["KEYCLOAK_CLIENT_SECRET"]
        return form | {"grant_type": "client_credentials", "client_secret": secret}
    user, password = environment.get("KEYCLOAK_USER", ""), environment.get("KEYCLOAK_PASSWORD", "")
    return form | {"grant_type": "password", "username": user, "password": password}
