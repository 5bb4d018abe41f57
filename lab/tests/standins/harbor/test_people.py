"""Users of an OIDC provider: access by ID token, and roles by groups."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.standins.store import Store
from lab.testing.names import name
from lab.tests.standins.harbor.conftest import LiveHarbor, live_harbor, make_project, refused

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class _Provider(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        issuer = f"http://{self.headers['Host']}"
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_KEY.public_key()))
        answers = {
            "/.well-known/openid-configuration": {"issuer": issuer, "jwks_uri": f"{issuer}/keys"},
            "/keys": {"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]},
        }
        body = json.dumps(answers.get(self.path, {})).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def oidc(tmp_path: Path, issuer: str) -> Iterator[LiveHarbor]:
    with live_harbor(tmp_path) as live, live.http() as api:
        settings = {
            "auth_mode": "oidc_auth", "oidc_name": "keycloak", "oidc_endpoint": issuer, "oidc_client_id": "harbor",
            "oidc_client_secret": "s", "oidc_groups_claim": "groups", "oidc_scope": "openid", "oidc_verify_cert": False,
            "oidc_auto_onboard": True, "oidc_user_claim": "preferred_username", "oidc_admin_group": "/rulers",
        }  # fmt: skip
        assert api.put("/configurations", json=settings).status_code == 200
        yield live


@pytest.fixture
def token(issuer: str) -> Callable[..., str]:
    def make(user: str, *groups: str, key: Any = _KEY, **claims: Any) -> str:
        now = int(time.time())
        content = {"iss": issuer, "aud": "harbor", "sub": f"id-of-{user}", "preferred_username": user, "iat": now,
                   "exp": now + 60, "groups": list(groups), **claims}  # fmt: skip
        return jwt.encode(content, key, "RS256", {"kid": "one"})

    return make


def person(live: LiveHarbor, token: str) -> httpx.Client:
    return httpx.Client(
        base_url=f"{live.url}/api/v2.0", headers={"Authorization": f"Bearer {token}", "Cookie": ""}, trust_env=False
    )


def test_groups_give_roles(oidc: LiveHarbor, token: Callable[..., str]) -> None:
    with oidc.http() as api:
        number, called = make_project(api)
        for group, role in (("/a/devops", 4), ("/a/reader", 5)):
            body = {"role_id": role, "member_group": {"group_name": group, "group_type": 3}}
            made = api.post(f"/projects/{number}/members", json=body)
            assert made.status_code == 201
            member = api.get(made.headers["Location"].removeprefix("/api/v2.0")).json()
            assert (member["entity_name"], member["entity_type"], member["role_id"]) == (group, "g", role)
        ops, reader, stranger = token("ops", "/a/devops"), token("reader", "/a/reader"), token("who", "/b/devops")
        assert person(oidc, ops).get(f"/projects/{called}").json()["current_user_role_id"] == 4
        assert person(oidc, ops).get(f"/projects/{called}/immutabletagrules").status_code == 200
        refused(person(oidc, reader).get(f"/projects/{called}/immutabletagrules"), 403, "FORBIDDEN")
        refused(person(oidc, stranger).get(f"/projects/{called}"), 403, "FORBIDDEN")
        assert person(oidc, ops).get("/users/current").json()["username"] == "ops"
        # Without the group, the user has no access to the project.
        refused(person(oidc, token("ops")).get(f"/projects/{called}"), 403, "FORBIDDEN")
        scopes = {"service": "harbor-registry", "scope": f"repository:{called}/app:pull,push"}
        url = f"{oidc.url}/service/token"
        for who, actions in ((ops, {"pull", "push", "delete"}), (reader, {"pull"}), (stranger, set())):
            answer = httpx.get(url, params=scopes, headers={"Authorization": f"Bearer {who}"}).json()
            claims = jwt.decode(answer["token"], options={"verify_signature": False})
            assert set(claims["access"][0]["actions"]) == actions
        assert {"/a/devops", "/a/reader", "/b/devops"} <= groups(oidc)


def groups(live: LiveHarbor) -> set[str]:
    """Return the server's user groups."""
    store = Store(live.data / "harbor.sqlite")
    try:
        return {group["group_name"] for group in store.find("group")}
    finally:
        store.close()


def test_a_refused_request_writes_nothing(oidc: LiveHarbor) -> None:
    with oidc.http() as api:
        number, _ = make_project(api)
        body = {"role_id": 9, "member_group": {"group_name": "/half/made", "group_type": 3}}
        refused(api.post(f"/projects/{number}/members", json=body), 400, "BAD_REQUEST", "role is not in")
        assert groups(oidc) == set()


def test_members_of_the_administrator_group_are_administrators(oidc: LiveHarbor, token: Callable[..., str]) -> None:
    assert person(oidc, token("boss", "/rulers")).get("/configurations").status_code == 200
    refused(person(oidc, token("boss")).get("/configurations"), 403, "FORBIDDEN")


@pytest.mark.parametrize("flaw", [{"key": _OTHER_KEY}, {"aud": "other"}, {"exp": 1}, {"iss": "http://127.0.0.1:1"}])
def test_invalid_tokens_are_refused(oidc: LiveHarbor, token: Callable[..., str], flaw: dict[str, Any]) -> None:
    refused(person(oidc, token("x", "/rulers", **flaw)).get("/users/current"), 401, "UNAUTHORIZED")


def test_a_name_belongs_to_one_user(oidc: LiveHarbor, token: Callable[..., str]) -> None:
    assert person(oidc, token("jo")).get("/users/current").status_code == 200
    refused(person(oidc, token("jo", sub="somebody-else")).get("/users/current"), 401, "UNAUTHORIZED")
    refused(person(oidc, token("admin")).get("/users/current"), 401, "UNAUTHORIZED")


def test_unknown_users_are_refused_without_onboarding(oidc: LiveHarbor, token: Callable[..., str]) -> None:
    with oidc.http() as api:
        assert api.put("/configurations", json={"oidc_auto_onboard": False}).status_code == 200
        refused(person(oidc, token(name("new"))).get("/users/current"), 401, "UNAUTHORIZED")


def test_local_users_cannot_be_created_with_oidc(oidc: LiveHarbor) -> None:
    with oidc.http() as api:
        body = {"username": "u", "email": "u@example.com", "realname": "U", "password": "Passw0rd-1"}
        refused(api.post("/users", json=body), 403, "FORBIDDEN", "not allowed under auth mode: oidc_auth")


def test_a_token_gives_no_access_in_another_authentication_mode(tmp_path: Path, token: Callable[..., str]) -> None:
    with live_harbor(tmp_path) as live:
        refused(person(live, token("x", "/rulers")).get("/users/current"), 401, "UNAUTHORIZED")
