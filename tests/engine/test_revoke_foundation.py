"""The secret of an OIDC client is replaced on real servers: the old one ends at once, and log-ins work afterwards."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from lab.testing.platforms import TestLab
from tests.engine import live
from tests.engine.fleet import Fleet
from tests.engine.test_isolation import issuer, trust, vault_in_browser

pytestmark = pytest.mark.servers

_NAMES = ("vault", "harbor")


def secrets_of(lab: TestLab) -> dict[str, str]:
    """Return the secrets of clients as Keycloak has them now."""
    lab.keycloak.connection.realm_name = live.REALM
    try:
        ids = {name: str(lab.keycloak.get_client_id(name)) for name in _NAMES}
        return {name: str(lab.keycloak.get_client_secrets(id_)["value"]) for name, id_ in ids.items()}
    finally:
        lab.keycloak.connection.realm_name = "master"


def known(lab: TestLab, client: str, secret: str) -> bool:
    """Return whether Keycloak knows this client by this secret. It gives no token either way."""
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    with httpx.Client(verify=trust(lab)) as http:
        answer: dict[str, Any] = http.post(f"{issuer(lab)}/protocol/openid-connect/token", data=form).json()
    return "not enabled to retrieve service account" in answer["error_description"]


def test_the_old_secret_of_a_client_ends_and_its_tool_gets_the_new_one(fleet: Fleet) -> None:
    stack, lab, old = fleet.stack, fleet.lab, secrets_of(fleet.lab)
    # docs/rotation.md: the reason why there is no rotation of these secrets.
    features = {one["name"]: one for one in lab.keycloak.get_server_info()["features"]}
    assert (features["CLIENT_SECRET_ROTATION"]["type"], features["CLIENT_SECRET_ROTATION"]["enabled"]) == (
        "PREVIEW",
        False,
    )
    before, earlier = live.keycloak(lab), vault_in_browser(lab, "emma.leroy")
    assert all(known(lab, name, secret) for name, secret in old.items())
    chosen = [part for name in _NAMES for part in ("--credential", f"keycloak/client/{name}")]
    done = stack.usine("revoke", "--foundation", *chosen).must()
    new = secrets_of(lab)
    assert not [name for name, secret in old.items() if known(lab, name, secret)]
    assert all(known(lab, name, secret) for name, secret in new.items())
    vault_in_browser(lab, "emma.leroy")
    assert earlier.auth.token.lookup_self()["data"]["display_name"] == "oidc-emma.leroy"
    assert live.keycloak(lab) == before
    wrong = stack.usine("revoke", "--foundation", "--credential", "keycloak/client/argocd")
    assert (wrong.exit_code, "the foundation has no credential" in wrong.output) == (1, True), wrong.output
    again = stack.usine("up", "--expect-no-changes").must()
    assert not [value for value in (*old.values(), *new.values()) if value in done.output + again.output]
