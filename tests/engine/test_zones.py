"""A cluster that pulls, on a second API server: what the platform publishes, applied as the zone's Argo CD does.

The second API server has its own issuer key, and no component of the platform connects to it. It starts for these tests
only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import hvac  # type: ignore[import-untyped]
import pytest
import yaml

from lab.servers import openbao
from lab.servers.kubernetes import ISSUER
from lab.testing.git_client import clone
from lab.testing.gitlab_server import GitLabClient
from lab.testing.platforms import TestLab, running
from tests.engine.alerting import wait
from tests.engine.harness import ROOT, Stack
from usine.engine.sources import program_digest

pytestmark = [pytest.mark.servers, pytest.mark.random_order(disabled=True)]

PORT_BASE = 25000
SERVERS = ("etcd", "kube-apiserver", "argocd", "external-secrets")
TENANT = """
    owner: alice.martin
    contact: alpha@example.gouv.fr
    environments:
      dev: {stage: dev, cluster: far}
      test: {stage: dev, cluster: far}
    secrets: {deliver: {database: {environments: [dev], path: db}}}
    """
_SYNC_ACCOUNT = "system:serviceaccount:argocd:usine-zone"
_APPLY = {"Content-Type": "application/apply-patch+yaml", "Impersonate-User": _SYNC_ACCOUNT}
#: Namespaces first, as Argo CD orders the kinds.
_ORDER = ("Namespace", "ClusterRole", "ServiceAccount")


@dataclass
class Far:
    """The stack on the near platform, and the far API server."""

    stack: Stack
    lab: TestLab

    @property
    def near(self) -> TestLab:
        return self.stack.lab

    @property
    def forge(self) -> GitLabClient:
        url = f"http://127.0.0.1:{self.near.home.ports.gitlab}"
        return GitLabClient.at(url, str(self.near.gitlab.headers["PRIVATE-TOKEN"]))

    def kept(self, path: str) -> dict[str, str]:
        """The fields of a secret in the platform's mount."""
        found = self.near.vault.secrets.kv.v2.read_secret_version(
            path, mount_point="usine_platform", raise_on_deleted_version=True
        )
        return dict(found["data"]["data"])

    def zones(self, *words: str) -> str:
        """Run `usine zones` and return its output."""
        arguments = (sys.executable, "-m", "usine", "zones", *words, "--settings", str(self.stack.settings_file))
        environment = {"USINE_LAB_HOME": str(self.near.home.root), **self.stack.environment}
        done = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @cached_property
    def manifest(self) -> list[dict[str, Any]]:
        """What `usine zones manifest` prints."""
        return list(yaml.safe_load_all(self.zones("manifest", "far")))

    def apply(self, objects: Sequence[dict[str, Any]], headers: dict[str, str]) -> None:
        for one in sorted(objects, key=lambda o: _ORDER.index(o["kind"]) if o["kind"] in _ORDER else len(_ORDER)):
            answer = self.send(one, headers)
            assert answer.is_success, f"{one['kind']} {one['metadata']['name']}: {answer.text}"

    def send(self, one: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
        group, _, version = one["apiVersion"].rpartition("/")
        base = f"/apis/{group}/{version}" if group else f"/api/{version}"
        namespace = one["metadata"].get("namespace")
        place = f"/namespaces/{namespace}" if namespace else ""
        plural = _plural(one["kind"])
        return self.lab.kubernetes.patch(
            f"{base}{place}/{plural}/{one['metadata']['name']}",
            params={"fieldManager": "argocd-controller", "force": "true"},
            headers=headers,
            content=yaml.safe_dump(one),
        )

    def token(self, namespace: str, account: str, audience: str = ISSUER) -> str:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        spec = {"audiences": [audience], "expirationSeconds": 600}
        answer = self.lab.kubernetes.post(path, json={"spec": spec})
        return str(answer.raise_for_status().json()["status"]["token"])

    def logged_in(self, role: str, token: str) -> Any:
        """OpenBao with the identity of a token of the far cluster. Raises hvac.exceptions.VaultError."""
        client = hvac.Client(url=openbao.address(self.near.home))
        client.session.trust_env = False
        client.token = client.write("auth/kubernetes/far/login", role=role, jwt=token)["auth"]["client_token"]
        return client

    def report(self, what: str, revision: str) -> None:
        """Send the request of a notification, with the values of the printed templates."""
        maps = {one["metadata"]["name"]: one for one in self.manifest if one["kind"] == "ConfigMap"}
        data = maps["argocd-notifications-cm"]["data"]
        service = json.loads(data["service.webhook.usine"])
        webhook = json.loads(data[f"template.usine-{what}"])["webhook"]["usine"]
        token = self.kept("operations/zones/lab/report")["token"]
        headers = {h["name"]: h["value"].replace("$usine-report-token", token) for h in service["headers"]}
        url = service["url"] + webhook["path"].replace("{{.app.status.sync.revision}}", revision)
        httpx.post(url, content=webhook["body"], headers=headers, trust_env=False).raise_for_status()


def _denied(answer: httpx.Response, policy: str) -> bool:
    """Return whether an admission policy of the platform refused a request, and not a missing right."""
    assert answer.status_code == 403, answer.text
    return f"ValidatingAdmissionPolicy 'usine.far.{policy}'" in answer.text


def _plural(kind: str) -> str:
    name = kind.lower()
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return name if name.endswith("s") else f"{name}s"


@pytest.fixture(scope="module")
def far(light_lab: TestLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    with running(".lab-far", PORT_BASE, SERVERS) as lab:
        folder = tmp_path_factory.mktemp("far")
        keys = folder / "far.json"
        keys.write_text(lab.kubernetes.get("/openid/v1/jwks").text, encoding="utf-8")
        stack = Stack(light_lab, "far", folder / "far")
        stack.configure(
            systems=["vault", "gitlab", "harbor", "kubernetes"],
            clusters={
                "far": {
                    "zone": "lab",
                    "server": "https://kubernetes.default.svc",
                    "stages": ["dev"],
                    "pull": {"issuer": ISSUER, "keys": str(keys)},
                    "secretDelivery": {"operator": "external-secrets"},
                    "operators": ["external-secrets"],
                }
            },
            # Both are off.
            argocd={"cluster": "far"},
            observability={
                "runbooks": "https://guide.example.fr/alertes",
                "logRetentions": ["14d", "30d", "90d", "365d"],
            },
        )
        stack.tenant("alpha", TENANT)
        yield Far(stack, lab)
        stack.close()


def test_the_second_run_changes_nothing_and_commits_nothing(far: Far) -> None:
    program = program_digest(ROOT)
    with far.stack.with_policy("usine-pipeline"):
        first = far.stack.usine("up").must()
    assert program_digest(ROOT) == program, "a plugin writes manifests among the files that bind a plan"
    assert list((ROOT / "out/rendered/far").rglob("*.yaml"))
    assert re.search(r"zone lab: \d+ files changed, commit [0-9a-f]{12}", first.output)
    second = far.stack.usine("up", "--expect-no-changes").must()
    assert "files changed" not in second.output


def test_the_zone_applies_the_tree_with_its_own_credentials_and_rights(far: Far, tmp_path: Path) -> None:
    far.apply(far.manifest, {**_APPLY, "Impersonate-User": "kubernetes-admin", "Impersonate-Group": "system:masters"})
    reader = far.kept("operations/zones/lab/reader")
    git = clone(far.forge, "platform/zones/lab", tmp_path / "clone", reader["password"], reader["username"])
    files = sorted((git.folder / "far").rglob("*.yaml"))
    tree = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    assert {one["kind"] for one in tree} >= {"Namespace", "SecretStore", "ExternalSecret", "ValidatingAdmissionPolicy"}
    assert "Secret" not in {one["kind"] for one in tree}
    far.apply(tree, _APPLY)
    far.apply(tree, _APPLY)  # the server takes its own objects again
    (git.folder / "x").write_text("x")
    git.run("add", "x")
    git.run("commit", "-m", "x")
    git.run("push", "origin", "HEAD:main", fails=True)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "alpha-dev"}}
    assert far.send(secret, _APPLY).status_code == 403, "the account of the zone writes no Secret"


def test_pods_log_in_by_the_key_of_their_issuer_and_read_their_environment_only(far: Far) -> None:
    for path in ("env/dev/db", "env/test/db"):
        far.near.vault.secrets.kv.v2.create_or_update_secret(path, {"value": path}, mount_point="alpha")
    pod = far.logged_in("alpha-dev", far.token("alpha-dev", "vault"))

    def read(path: str) -> Any:
        return pod.secrets.kv.v2.read_secret_version(path, mount_point="alpha", raise_on_deleted_version=True)

    assert read("env/dev/db")["data"]["data"] == {"value": "env/dev/db"}
    assert read("review/registry/pull")["data"]["data"]["username"].startswith("robot$")
    for path in ("env/test/db", "ci/registry/push"):
        with pytest.raises(hvac.exceptions.Forbidden):
            read(path)
    for role, token in (
        ("alpha-test", far.token("alpha-dev", "vault")),
        ("alpha-dev", far.token("alpha-test", "vault")),
        ("alpha-dev", far.token("alpha-dev", "vault", "https://other.example.fr")),
        ("usine-argocd", far.token("alpha-dev", "vault")),
        ("alpha-dev", far.token("argocd", "usine-argocd")),
        ("alpha-dev", _forged(far.token("alpha-dev", "vault"))),
    ):
        with pytest.raises((hvac.exceptions.InvalidRequest, hvac.exceptions.Forbidden)):
            far.logged_in(role, token)
    argocd = far.logged_in("usine-argocd", far.token("argocd", "usine-argocd"))
    found = argocd.secrets.kv.v2.read_secret_version(
        "operations/zones/lab/reader", mount_point="usine_platform", raise_on_deleted_version=True
    )
    assert found["data"]["data"] == far.kept("operations/zones/lab/reader")
    for path in ("operations/zones/other/reader", "operations/registry/proxies"):
        with pytest.raises(hvac.exceptions.Forbidden):
            argocd.secrets.kv.v2.read_secret_version(path, mount_point="usine_platform", raise_on_deleted_version=True)


def _forged(token: str) -> str:
    """The same claims, signed by nobody that Vault knows."""
    head, body, signature = token.split(".")
    return f"{head}.{body}.{signature[:-8]}AAAAAAAA"


def test_the_far_api_server_admits_the_store_of_the_platform_only(far: Far) -> None:
    path = "/apis/external-secrets.io/v1/namespaces/alpha-dev/secretstores/vault"
    store = far.lab.kubernetes.get(path).raise_for_status().json()
    own = {key: store[key] for key in ("apiVersion", "kind", "spec")}

    def answer(**jwt: Any) -> httpx.Response:
        spec = json.loads(json.dumps(own["spec"]))
        spec["provider"]["vault"]["auth"]["jwt"] |= jwt
        one = {**own, "spec": spec, "metadata": {"name": "mine", "namespace": "alpha-dev"}}
        return far.send(one, _APPLY)

    def enforced() -> bool:
        refused = answer(role="alpha-test").status_code == httpx.codes.FORBIDDEN
        # The policy looks at what changes: what was admitted before would be admitted again.
        far.lab.kubernetes.delete(path.removesuffix("vault") + "mine")
        return refused

    # The API server reads the list of policies again each second.
    wait(enforced, "the new policy for stores")
    account = own["spec"]["provider"]["vault"]["auth"]["jwt"]["kubernetesServiceAccountToken"]["serviceAccountRef"]
    assert answer().status_code == 201
    assert _denied(answer(role="alpha-test"), "stores")
    assert _denied(answer(path="kubernetes/other"), "stores")
    assert _denied(answer(secretRef={"name": "x", "key": "token"}), "stores")
    for changed in ({"name": "default"}, {"audiences": ["https://other.example.fr"]}, {"namespace": "argocd"}):
        assert _denied(answer(kubernetesServiceAccountToken={"serviceAccountRef": {**account, **changed}}), "stores")


def test_the_far_api_server_lets_no_namespace_be_taken_over(far: Far) -> None:
    stray = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stray-prod"}}
    far.lab.kubernetes.post("/api/v1/namespaces", json=stray).raise_for_status()
    taken = {**stray, "metadata": {"name": "stray-prod", "labels": {"usine.dev/tenant": "stray"}}}
    assert _denied(far.send(taken, _APPLY), "namespaces")


def test_drift_is_what_the_zone_reports_and_what_somebody_pushed(far: Far) -> None:
    project = far.forge.root.projects.get("platform/zones/lab")
    head = str(project.branches.get("main").commit["id"])
    far.report("synced", head)
    clean = far.stack.usine("drift")
    assert clean.exit_code == 0, clean.output
    assert f"far is in sync at {head[:12]}" in clean.output
    far.report("out-of-sync", head)
    path = "far/_platform/clusterrolebinding__mine.yaml"
    content = "kind: ClusterRoleBinding\n"
    project.files.create({"file_path": path, "branch": "main", "content": content, "commit_message": "by hand"})
    pushed = str(project.branches.get("main").commit["id"])
    far.report("out-of-sync", pushed)
    changed = far.stack.usine("drift")
    assert changed.exit_code == 2
    assert f"far is out of sync at {pushed[:12]}" in changed.output
    assert f"lab: {path}" in changed.output
    assert "1 files changed" in far.zones("publish", "--stack", far.stack.name)
    assert "nothing changed" in far.zones("publish", "--stack", far.stack.name)
