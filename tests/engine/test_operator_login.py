"""A workspace of the Pulumi Kubernetes Operator logs in to the real OpenBao, set up as docs/fleet-operator.md says."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hvac  # type: ignore[import-untyped]  # it has no stubs
import pytest

from lab.home import CHECKOUT
from lab.servers import openbao
from lab.servers.kubernetes import ISSUER
from lab.testing.platforms import TestLab
from tests.fleet.operated import log_in_script

pytestmark = pytest.mark.servers

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
PAGE = (
    (CHECKOUT / "docs" / "fleet-operator.md")
    .read_text(encoding="utf-8")
    .replace("serviceaccount:usine:", "serviceaccount:default:")
)
MARKER = "marker-of-the-forge"


@pytest.fixture(scope="module")
def platform(lab: TestLab) -> Iterator[TestLab]:
    """The log-in `operator` with the role of the page, for accounts of the namespace `default`."""
    vault = lab.vault
    vault.sys.enable_auth_method("jwt", path="operator")
    vault.sys.enable_secrets_engine("kv", path="operator-secrets", options={"version": "2"})
    for name in ("usine-pipeline", "other"):
        lab.kubernetes.post(ACCOUNTS, json={"metadata": {"name": name}}).raise_for_status()
    try:
        keys = (lab.home.pki / "service-account.pub").read_text(encoding="ascii")
        vault.write_data("auth/operator/config", data={"jwt_validation_pubkeys": [keys], "bound_issuer": ISSUER})
        role = re.search(r"role/usine-pipeline - <<'JSON'\n(.*?)\nJSON", PAGE, re.DOTALL)
        assert role is not None
        vault.write_data("auth/operator/role/usine-pipeline", data=json.loads(role[1]))
        policy = 'path "operator-secrets/data/pipeline" { capabilities = ["read"] }'
        vault.sys.create_or_update_acl_policy("usine-pipeline", policy)
        secret = {"GITLAB_TOKEN": MARKER, "SONAR_TOKEN": 'a $HOME "b" #c'}
        vault.secrets.kv.v2.create_or_update_secret("pipeline", secret=secret, mount_point="operator-secrets")
        yield lab
    finally:
        vault.sys.disable_auth_method("operator")
        vault.sys.disable_secrets_engine("operator-secrets")
        vault.sys.delete_policy("usine-pipeline")
        for name in ("usine-pipeline", "other"):
            lab.kubernetes.delete(f"{ACCOUNTS}/{name}").raise_for_status()


def token(lab: TestLab, account: str, audience: str) -> str:
    """Return what the kubelet puts into the volume."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [audience], "expirationSeconds": 600},
    }
    answer = lab.kubernetes.post(f"{ACCOUNTS}/{account}/token", json=body).raise_for_status()
    return str(answer.json()["status"]["token"])


def log_in(lab: TestLab, folder: Path, identity: str, **variables: str) -> subprocess.CompletedProcess[str]:
    script = log_in_script(folder, identity)
    environment = {
        "PATH": f"{openbao.binary().parent}:{os.defpath}",
        "PULUMI_ENV": str(folder / ".env"),
        "VAULT_ADDR": openbao.address(lab.home),
        "VAULT_AUTH_PATH": "operator",
        "VAULT_ROLE": "usine-pipeline",
        "VAULT_SECRET": "pipeline",
        "VAULT_SECRETS_MOUNT": "operator-secrets",
        "VAULT_SECRETS": "GITLAB_TOKEN SONAR_TOKEN",
        **variables,
    }
    return subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)


AUDIENCE = "https://vault.example.gouv.fr"


def test_the_account_of_the_workspace_gets_the_credentials_of_its_role(platform: TestLab, tmp_path: Path) -> None:
    identity = token(platform, "usine-pipeline", AUDIENCE)
    done = log_in(platform, tmp_path, identity)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    written = dict(re.findall(r"^(\w+)='(.*)'$", (tmp_path / ".env").read_text(encoding="utf-8"), re.MULTILINE))
    assert (written["GITLAB_TOKEN"], written["SONAR_TOKEN"]) == (MARKER, 'a $HOME "b" #c')
    client: Any = hvac.Client(url=openbao.address(platform.home), token=written["VAULT_TOKEN"])
    found = client.auth.token.lookup_self()["data"]
    assert (set(found["policies"]), found["creation_ttl"]) == ({"default", "usine-pipeline"}, 4 * 3600)
    (file,) = (tmp_path / "credentials").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("account", "audience"), [("other", AUDIENCE), ("usine-pipeline", "kubernetes")], ids=["account", "audience"]
)
def test_another_account_or_another_token_of_the_pod_gets_nothing(
    platform: TestLab, tmp_path: Path, account: str, audience: str
) -> None:
    done = log_in(platform, tmp_path, token(platform, account, audience))
    assert done.returncode != 0
    assert "error validating" in done.stderr
    assert not (tmp_path / ".env").exists()
    assert list((tmp_path / "credentials").iterdir()) == []


def test_a_credential_that_the_role_does_not_read_ends_the_log_in(platform: TestLab, tmp_path: Path) -> None:
    done = log_in(platform, tmp_path, token(platform, "usine-pipeline", AUDIENCE), VAULT_SECRET="look")
    assert done.returncode != 0
    assert "permission denied" in done.stderr
    assert not (tmp_path / ".env").exists(), "the agent would run without it"
    assert MARKER not in done.stderr + done.stdout
