"""No credential is in clear in the state, the events, the output of runs or the plan, tested with the real values."""

from __future__ import annotations

import base64
import json

import pytest

from lab.secrets import Secrets
from tests.engine import live
from tests.engine.fleet import Fleet

pytestmark = pytest.mark.servers

MARKER = "MARKER-b7d1-never-in-clear"


def test_no_credential_is_in_clear_anywhere(fleet: Fleet) -> None:
    stack, lab = fleet.stack, fleet.lab
    lab.vault.secrets.kv.v2.create_or_update_secret("env/dev/db", {"value": MARKER}, mount_point="alpha")
    # The first `up` with its preview, a drift scan, and one with a refresh and nothing to do.
    runs = [fleet.created, stack.drift().must(), stack.up("--refresh").must()]

    lab.keycloak.connection.realm_name = live.REALM
    client_id = lab.keycloak.get_client_id("vault")
    assert client_id is not None
    client_secret = lab.keycloak.get_client_secrets(client_id)["value"]
    lab.keycloak.connection.realm_name = "master"

    def kept(path: str) -> dict[str, str]:
        read = lab.vault.secrets.kv.v2.read_secret_version(path, mount_point="alpha", raise_on_deleted_version=True)
        return dict(read["data"]["data"])

    reader = lab.kubernetes.get("/api/v1/namespaces/argocd/secrets/usine-alpha--deploy").json()["data"]
    known = Secrets.load(lab.home)
    markers = {
        "a tenant's secret": MARKER,
        "Keycloak's client secret": client_secret,
        "Vault's token": known.vault_token,
        "Vault's unseal key": known.vault_unseal_key,
        "Keycloak's administrator's password": known.keycloak_password,
        "the push robot's secret": kept("ci/registry/push")["password"],
        "the pull robot's secret": kept("review/registry/pull")["password"],
        "the analysis token": kept("ci/quality/api")["token"],
        "Argo CD's deploy token": base64.b64decode(reader["password"]).decode(),
        "GitLab's administrator's token": known.gitlab_token,
        "Harbor's administrator's password": known.harbor_password,
        "SonarQube's token": known.sonarqube_token,
        "SonarQube's administrator's password": known.sonarqube_password,
        "the passphrase": known.pulumi_passphrase,
    }
    assert all(markers.values())
    exported = json.dumps(stack.state())
    places = {
        "the state": stack.checkpoint_text() + exported,
        "the output": "".join(run.output for run in runs),
        "the events": json.dumps([run.events for run in runs]),
        "the state's history": "".join(
            path.read_text("utf-8", errors="replace") for path in lab.home.state.rglob("*") if path.is_file()
        ),
        "the servers' logs": "".join(
            path.read_text("utf-8", errors="replace") for path in lab.home.log.glob("*.log") if path.is_file()
        ),
    }
    assert (lab.home.pulumi_home / "logs").is_file(), "the engine wrote its own, encrypted logs, which no search reads"
    assert "oidcClientSecret" in places["the state"], "no secret was stored, so this test would prove nothing"
    found = {(what, where) for what, marker in markers.items() for where, text in places.items() if marker in text}
    assert found == set()
