"""A user's log-in at Keycloak without a browser: the real authorization code flow.

For trials and tests of the local platform: no client of the realm accepts a password directly.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import httpx

from lab.errors import LabError

#: The redirect URI of command line clients. Nothing listens there: the code is read from the redirect.
REDIRECT = "http://127.0.0.1/callback"


@dataclass(frozen=True, slots=True, repr=False)
class LogInTokens:
    """Keycloak's answer. `repr` shows no token."""

    access_token: str
    id_token: str
    refresh_token: str


class _Form(HTMLParser):
    """Finds the URL to which the log-in form is posted."""

    action: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "form" and self.action is None:
            self.action = dict(attrs).get("action")


def follow_log_in(client: httpx.Client, url: str, user: str, password: str) -> dict[str, str]:
    """Open a log-in page, submit it, and return the parameters of the redirect (`code`, `state`, ...).

    Raises LabError when Keycloak does not redirect: the password is wrong, or another page asks for more.
    """
    page = client.get(url, follow_redirects=True)
    form = _Form()
    form.feed(page.text)
    if form.action is None:
        raise LabError(f"Keycloak shows no log-in form (HTTP {page.status_code})")
    answer = client.post(form.action, data={"username": user, "password": password})
    location = answer.headers.get("location", "")
    query = {key: values[0] for key, values in parse_qs(urlsplit(location).query).items()}
    if "code" not in query:
        raise LabError(f"Keycloak refuses {user}: the password is wrong, or it asks for more than a password")
    return query


def log_in(
    issuer: str,
    ca: str,
    client_id: str,
    user: str,
    password: str,
    redirect: str = REDIRECT,
    client_secret: str | None = None,
    scope: str = "openid",
) -> LogInTokens:
    """Log in to a client with PKCE and return the tokens.

    Args:
        issuer: the realm's URL, ``https://…/realms/<realm>``.
        ca: path of the PEM file to trust.
        client_id: a client of the realm.
        user: user name.
        password: the person's password.
        redirect: one of the client's redirect URIs; it is never opened.
        client_secret: of a confidential client; None for a public one.
        scope: scopes that the client requests, separated by spaces.

    Raises LabError as `follow_log_in` does, or when Keycloak refuses the code.
    """
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": redirect,
        "scope": scope,
        "state": secrets.token_urlsafe(8),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    with httpx.Client(verify=ssl.create_default_context(cafile=ca), timeout=30) as client:
        url = str(httpx.URL(f"{issuer}/protocol/openid-connect/auth", params=query))
        code = follow_log_in(client, url, user, password)["code"]
        answer = client.post(
            f"{issuer}/protocol/openid-connect/token",
            data={
                "grant_type": "authorization_code",
                "client_id": client_id,
                "code": code,
                "redirect_uri": redirect,
                "code_verifier": verifier,
                **({"client_secret": client_secret} if client_secret else {}),
            },
        )
        if answer.status_code != httpx.codes.OK:
            raise LabError(f"Keycloak gives no token to {client_id} for {user} (HTTP {answer.status_code})")
        body = answer.json()
        return LogInTokens(body["access_token"], body["id_token"], body["refresh_token"])
