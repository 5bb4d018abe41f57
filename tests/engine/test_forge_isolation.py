"""Access to Harbor and SonarQube: people log in at Keycloak and have the rights of their groups."""

from __future__ import annotations

import secrets
from contextlib import closing

import httpx
import jwt
import pytest

from lab.errors import LabError
from lab.login import REDIRECT, follow_log_in, log_in
from lab.testing.platforms import TestLab
from tests.engine import live
from tests.engine.fleet import Fleet
from tests.engine.harness import Stack
from tests.engine.test_isolation import issuer, password_of, trust

pytestmark = pytest.mark.servers

ARGOCD_BACK = "http://localhost:8085/auth/callback"


@pytest.fixture
def stack(fleet: Fleet) -> Stack:
    return fleet.stack


def harbor_as(lab: TestLab, user: str) -> httpx.Client:
    """Return a session of Harbor's API with the ID token of a person, from a log-in with Harbor's own client."""
    lab.keycloak.connection.realm_name = live.REALM
    try:
        client = lab.keycloak.get_client_id("harbor")
        assert client is not None
        secret = lab.keycloak.get_client_secrets(client)["value"]
    finally:
        lab.keycloak.connection.realm_name = "master"
    base = f"http://127.0.0.1:{lab.home.ports.harbor}"
    scope = lab.harbor.get("/configurations").json()["oidc_scope"]["value"].replace(",", " ")
    back = f"{base}/c/oidc/callback"
    tokens = log_in(issuer(lab), str(lab.home.ca), "harbor", user, password_of(lab, user), back, secret, scope)
    # Harbor uses it to refresh a person's data, as long as their CLI secret is used.
    assert jwt.decode(tokens.refresh_token, options={"verify_signature": False})["typ"] == "Offline"
    headers = {"Authorization": f"Bearer {tokens.id_token}"}
    api = httpx.Client(base_url=f"{base}/api/v2.0", headers=headers, timeout=30)
    # A client that returns Harbor's cookie is a browser to it, and needs more than a token.
    api.event_hooks["response"] = [lambda _response: api.cookies.clear()]
    return api


@pytest.mark.parametrize(
    ("user", "own", "foreign"),
    [("alice.martin", "alpha", "beta"), ("emma.leroy", "alpha", "beta"), ("bob.durand", "beta", "alpha")],
)
def test_a_person_reads_harbor_projects_of_their_groups_and_cannot_change_them(
    stack: Stack, user: str, own: str, foreign: str
) -> None:
    retention = stack.lab.harbor.get(f"/projects/{own}").json()["metadata"]["retention_id"]
    policy = stack.lab.harbor.get(f"/retentions/{retention}").json()
    with harbor_as(stack.lab, user) as person:
        seen = {name: person.get(f"/projects/{name}/repositories").status_code for name in (own, foreign)}
        assert seen == {own: 200, foreign: 403}
        image = f"/projects/{own}/repositories/api/artifacts/latest"
        refused = [
            person.post(f"/projects/{own}/immutabletagrules", json={"tag_selectors": [], "scope_selectors": {}}),
            person.put(f"/retentions/{retention}", json={**policy, "rules": []}),
            person.delete(f"/retentions/{retention}"),
            person.delete(image),
            person.delete(f"{image}/tags/latest"),
            person.put(f"/projects/{own}", json={"metadata": {"public": "true"}}),
            person.post("/projects", json={"project_name": f"own-{secrets.token_hex(3)}"}),
        ]
        assert [answer.status_code for answer in refused] == [403] * len(refused)
    assert stack.lab.harbor.get(f"/retentions/{retention}").json() == policy


def sonarqube_as(lab: TestLab, user: str) -> httpx.Client:
    """Return a session of SonarQube's API, from a person's log-in with OpenID Connect."""
    base = f"http://127.0.0.1:{lab.home.ports.sonarqube}"
    browser = httpx.Client(base_url=base, verify=trust(lab), timeout=60, trust_env=False)
    start = browser.get("/sessions/init/oidc", params={"return_to": "/"})
    assert start.status_code == 302, start.text
    back = follow_log_in(browser, start.headers["location"], user, password_of(lab, user))
    done = browser.get("/oauth2/callback/oidc", params=back)
    assert done.status_code == 302, done.text
    return browser


@pytest.mark.parametrize(
    ("user", "groups", "projects"),
    [
        ("emma.leroy", {"/alpha/developer"}, {"alpha:api"}),
        ("bob.durand", {"/beta/owner"}, {"beta:api"}),
    ],
)
def test_a_person_has_the_keycloak_groups_in_sonarqube_and_sees_their_projects(
    stack: Stack, user: str, groups: set[str], projects: set[str]
) -> None:
    with closing(sonarqube_as(stack.lab, user)) as person:
        current = person.get("/api/users/current").json()
        assert current["isLoggedIn"]
        assert {group for group in current["groups"] if group.startswith("/")} >= groups
        found = person.get("/api/components/search", params={"qualifiers": "TRK"}).json()
        assert {component["key"] for component in found["components"]} == projects
        xsrf = {"X-XSRF-TOKEN": person.cookies.get("XSRF-TOKEN") or ""}
        refused = person.post("/api/projects/create", data={"project": "own", "name": "own"}, headers=xsrf)
        assert refused.status_code == 403


def test_log_in_with_a_device_code_or_an_e_mail_address_or_offline_access_is_refused(stack: Stack) -> None:
    lab = stack.lab
    with httpx.Client(verify=trust(lab), timeout=30) as anybody:
        for client in ("usine-cli", "kubernetes", "argocd"):
            answer = anybody.post(f"{issuer(lab)}/protocol/openid-connect/auth/device", data={"client_id": client})
            assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client"), answer.text
            # Its tokens end with the session. Only Harbor's client has offline tokens, for a person's CLI secret.
            query = {"client_id": client, "response_type": "code", "scope": "openid offline_access"}
            back = {"usine-cli": REDIRECT, "kubernetes": "http://localhost:8000", "argocd": ARGOCD_BACK}[client]
            challenge = {"code_challenge": "x" * 43, "code_challenge_method": "S256"}
            asked = anybody.get(
                f"{issuer(lab)}/protocol/openid-connect/auth", params={**query, **challenge, "redirect_uri": back}
            )
            assert "error=invalid_scope" in asked.headers.get("location", ""), asked.text
    password = password_of(lab, "alice.martin")
    ca = str(lab.home.ca)
    with pytest.raises(LabError, match="Keycloak refuses"):
        log_in(issuer(lab), ca, "usine-cli", "alice.martin@example.gouv.fr", password)
    assert log_in(issuer(lab), ca, "usine-cli", "alice.martin", password).id_token
