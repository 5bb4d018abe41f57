"""People log in to SonarQube with OpenID Connect and get the groups of the identity provider's claim."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from components.sonarqube.dynamic.api import Client, SonarError
from lab import pki
from tests.sonarqube.conftest import Life, Sonar

pytestmark = pytest.mark.servers

CLIENT, SECRET = "sonarqube", "s3cret:of/the client"


class _Issuer(ThreadingHTTPServer):
    """An identity provider that logs everybody in with the values of `claims`; with https, like Keycloak."""

    def __init__(self, sonar: Sonar) -> None:
        self.claims: dict[str, Any] = {}
        self.asked: list[dict[str, list[str]]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"https://127.0.0.1:{self.server_address[1]}/realms/usine"
        pair = pki.ensure(sonar.home).keycloak
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
        self.socket = context.wrap_socket(self.socket, server_side=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Issuer

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path.endswith("/openid-configuration"):
            url = self.server.url
            endpoints = {"authorization_endpoint": f"{url}/auth", "token_endpoint": f"{url}/token"}
            self._json({"issuer": url, **endpoints})
            return
        query = parse_qs(address.query)
        self.server.asked.append(query)
        back = urlencode({"code": "one-time", "state": query["state"][0]})
        self.send_response(302)
        self.send_header("Location", f"{query['redirect_uri'][0]}?{back}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.asked.append({**form, "authorization": [self.headers["Authorization"]]})
        now = int(time.time())
        claims = {"iss": self.server.url, "aud": CLIENT, "iat": now, "exp": now + 60, **self.server.claims}
        parts = [json.dumps({"alg": "RS256"}), json.dumps(claims), "signature"]
        token = ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
        self._json({"access_token": "x", "id_token": token, "expires_in": 60.5, "nested": [{"a": [None, True]}, {}]})

    def _json(self, content: dict[str, Any]) -> None:
        body = json.dumps(content, indent=1).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def issuer(sonar: Sonar) -> Iterator[_Issuer]:
    """The identity provider, on a SonarQube with the foundation's settings."""
    with _Issuer(sonar) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        settings = Life(sonar, "Settings")
        settings.create(
            values={
                "sonar.core.serverBaseURL": sonar.url,
                "sonar.auth.oidc.enabled": "true",
                "sonar.auth.oidc.issuerUri": running.url,
                "sonar.auth.oidc.scopes": "openid profile email groups",
                "sonar.auth.oidc.loginStrategy": "Preferred username",
                "sonar.auth.oidc.allowUsersToSignUp": "true",
                "sonar.auth.oidc.groupsSync": "true",
                "sonar.auth.oidc.groupsSync.claimName": "groups",
            },
            secured={"sonar.auth.oidc.clientId.secured": CLIENT, "sonar.auth.oidc.clientSecret.secured": SECRET},
        )
        yield running
        settings.delete()
        running.shutdown()


def log_in(sonar: Sonar) -> dict[str, Any]:
    """Log in through SonarQube's page and return SonarQube's data about the user."""
    trust = ssl.create_default_context(cafile=sonar.home.ca)
    with httpx.Client(verify=trust, trust_env=False, follow_redirects=True, timeout=30) as browser:
        browser.get(f"{sonar.url}/sessions/init/oidc", params={"return_to": "/projects"})
        answer = browser.get(f"{sonar.url}/api/users/current")
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found


def test_groups_follow_the_claim(sonar: Sonar, issuer: _Issuer, unique: str) -> None:
    groups = [Life(sonar, "Group") for _ in range(2)]
    for group, role in zip(groups, ("developer", "security"), strict=True):
        group.create(name=f"/{unique}/{role}", description="")
    name, email = 'Zoé "Z" Martin', f"{unique}@example.fr"
    person = {"sub": f"id-{unique}", "preferred_username": unique, "name": name, "email": email}
    issuer.claims = {**person, "groups": [f"/{unique}/developer", "/not/known/here"]}
    found = log_in(sonar)
    # SonarQube invents the login; the provider's user name is the external identity.
    assert (found["externalIdentity"], found["externalProvider"]) == (unique, "oidc")
    assert (found["name"], found["email"]) == (name, email)
    assert sorted(found["groups"]) == [f"/{unique}/developer", "sonar-users"]
    authorization, token = issuer.asked
    assert authorization["client_id"] == [CLIENT]
    assert authorization["scope"] == ["openid profile email groups"]
    assert token["redirect_uri"] == authorization["redirect_uri"] == [f"{sonar.url}/oauth2/callback/oidc"]
    given = base64.b64decode(token["authorization"][0].removeprefix("Basic ")).decode()
    assert given == "sonarqube:s3cret%3Aof%2Fthe+client"

    # People who are removed from a role lose the membership immediately, and their tokens if it was the last one.
    (user,) = sonar.client.v2("GET", "/users-management/users", q=unique)["users"]
    held = sonar.client.post("/api/user_tokens/generate", login=user["login"], name="mine")["token"]
    holder = Client(sonar.url, environment={"SONAR_TOKEN": held})
    developers = {"name": f"/{unique}/developer", "description": ""}
    groups[0].update(**developers, members=[unique, "somebody.else"])
    assert groups[0].refresh()
    assert not groups[0].changes(**developers, members=[unique, "somebody.else"])
    assert f"/{unique}/developer" in holder.get("/api/users/current")["groups"]
    groups[0].state = {**groups[0].state, "members": ["somebody.else"]}
    assert groups[0].refresh()
    assert groups[0].state["members"] == sorted([unique, "somebody.else"])
    groups[0].update(**developers, members=["somebody.else"])
    assert groups[0].refresh()
    assert groups[0].state["members"] == ["somebody.else"]
    with pytest.raises(SonarError, match="not accepted"):
        holder.get("/api/users/current")

    issuer.claims = {**person, "groups": [f"/{unique}/security"]}  # one role is replaced by another
    assert sorted(log_in(sonar)["groups"]) == [f"/{unique}/security", "sonar-users"]
    issuer.claims = person
    assert log_in(sonar)["groups"] == ["sonar-users"]

    sonar.client.v2("DELETE", f"/users-management/users/{user['id']}")
    for group in groups:
        group.delete()


@pytest.mark.parametrize(
    "claims", [{"aud": "another"}, {"aud": ["another"]}, {"exp": 1}, {"iss": "https://another"}, {"sub": None}]
)
def test_a_token_for_another_client_is_refused(
    sonar: Sonar, issuer: _Issuer, unique: str, claims: dict[str, Any]
) -> None:
    issuer.claims = {"sub": unique, "preferred_username": unique, **claims}
    assert log_in(sonar) == {}
    assert sonar.client.v2("GET", "/users-management/users", q=unique)["users"] == []


def test_a_person_named_like_a_technical_account_gets_another_account(
    sonar: Sonar, issuer: _Issuer, unique: str
) -> None:
    account = Life(sonar, "TechnicalAccount")
    login = account.create(login=f"usine.{unique}.1", name=unique)["login"]
    issuer.claims = {"sub": login, "preferred_username": login, "name": login, "email": f"{unique}@example.fr"}
    found = log_in(sonar)
    assert found["externalIdentity"] == login != found["login"]
    sonar.client.v2("DELETE", f"/users-management/users/{found['id']}")
    account.delete()
