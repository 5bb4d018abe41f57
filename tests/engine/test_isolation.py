"""Access on the real servers: people with their Keycloak tokens, workloads with their service accounts."""

from __future__ import annotations

import secrets
import ssl
import time

import httpx
import hvac  # type: ignore[import-untyped]
import pytest

from lab.login import LogInTokens, follow_log_in, log_in
from lab.testing.platforms import TestLab
from tests.engine import admission, admission_operators, live
from tests.engine.fleet import Fleet
from tests.engine.harness import Stack
from tests.engine.tenants import GAMMA

pytestmark = pytest.mark.servers

SECRETS = (("alpha", "env/dev/db"), ("alpha", "env/prod/db"), ("alpha", "ci/x"), ("beta", "env/dev/db"))


@pytest.fixture(scope="module")
def stack(fleet: Fleet) -> Stack:
    """The fleet's stack, with a secret in each place that a test tries to read."""
    for mount, path in SECRETS:
        fleet.lab.vault.secrets.kv.v2.create_or_update_secret(path, {"value": f"{mount}/{path}"}, mount_point=mount)
    return fleet.stack


def trust(lab: TestLab) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=lab.home.ca)


def password_of(lab: TestLab, user: str) -> str:
    """Set a new password for a person, as a directory would."""
    password = secrets.token_urlsafe(16)
    lab.keycloak.connection.realm_name = live.REALM
    try:
        user_id = lab.keycloak.get_user_id(user)
        assert user_id is not None
        lab.keycloak.set_user_password(user_id, password, temporary=False)
    finally:
        lab.keycloak.connection.realm_name = "master"
    return password


def issuer(lab: TestLab) -> str:
    return f"https://127.0.0.1:{lab.home.ports.keycloak}/realms/{live.REALM}"


def tokens_of(lab: TestLab, user: str, client: str) -> LogInTokens:
    return log_in(issuer(lab), str(lab.home.ca), client, user, password_of(lab, user))


def vault_as(lab: TestLab, user: str) -> hvac.Client:
    client = hvac.Client(url=lab.vault.url)
    jwt = tokens_of(lab, user, "usine-cli").access_token
    client.token = client.auth.jwt.jwt_login(role="token", jwt=jwt, path="oidc")["auth"]["client_token"]
    return client


def put_into(lab: TestLab, person: str, group: str, *, out: bool = False) -> None:
    """Add a person to a Keycloak group outside the program, or remove them."""
    lab.keycloak.connection.realm_name = live.REALM
    try:
        user, id_ = lab.keycloak.get_user_id(person), lab.keycloak.get_group_by_path(group)["id"]
        assert user is not None
        (lab.keycloak.group_user_remove if out else lab.keycloak.group_user_add)(user, id_)
    finally:
        lab.keycloak.connection.realm_name = "master"


def may_read(client: hvac.Client, mount: str, path: str) -> bool:
    try:
        read = client.secrets.kv.v2.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)
    except hvac.exceptions.Forbidden:
        return False
    assert read["data"]["data"]["value"] == f"{mount}/{path}"
    return True


@pytest.mark.parametrize(
    ("user", "allowed"),
    [
        ("alice.martin", {("alpha", "env/dev/db"), ("alpha", "env/prod/db"), ("alpha", "ci/x")}),
        ("chloe.petit", {("alpha", "env/dev/db"), ("alpha", "env/prod/db"), ("alpha", "ci/x")}),
        ("emma.leroy", {("alpha", "env/dev/db")}),
        ("bob.durand", {("beta", "env/dev/db")}),
    ],
)
def test_a_person_reads_what_the_role_allows_and_nothing_of_another_tenant(
    stack: Stack, user: str, allowed: set[tuple[str, str]]
) -> None:
    client = vault_as(stack.lab, user)
    assert {secret for secret in SECRETS if may_read(client, *secret)} == allowed


def test_a_run_ends_the_log_ins_of_a_person_who_lost_a_role(stack: Stack) -> None:
    """Vault keeps the groups of a log-in for hours, even after they change in Keycloak (issue 11.A13)."""
    lab = stack.lab
    stays = vault_as(lab, "bob.durand")
    put_into(lab, "emma.leroy", "/beta/developer")
    emma = vault_as(lab, "emma.leroy")
    put_into(lab, "emma.leroy", "/beta/developer", out=True)
    assert may_read(emma, "beta", "env/dev/db"), "nothing to end"
    done = stack.usine("up").must()
    assert "ended emma.leroy's log-ins to Vault, no longer beta.developer" in done.output
    assert not may_read(emma, "beta", "env/dev/db")
    assert not may_read(emma, "alpha", "env/dev/db")
    with pytest.raises(hvac.exceptions.Forbidden):
        emma.auth.token.renew_self()
    assert may_read(stays, "beta", "env/dev/db")
    again = vault_as(lab, "emma.leroy")
    assert {secret for secret in SECRETS if may_read(again, *secret)} == {("alpha", "env/dev/db")}
    assert "ended" not in stack.usine("up").must().output


def vault_in_browser(lab: TestLab, user: str) -> hvac.Client:
    """Log in to OpenBao as its web page does, with the secret of OpenBao's own OIDC client."""
    redirect, nonce = "http://localhost:8250/oidc/callback", secrets.token_urlsafe(16)
    client = hvac.Client(url=lab.vault.url)
    asked = client.write_data(
        "auth/oidc/oidc/auth_url", data={"role": "person", "redirect_uri": redirect, "client_nonce": nonce}
    )
    with httpx.Client(verify=trust(lab), timeout=30) as browser:
        back = follow_log_in(browser, asked["data"]["auth_url"], user, password_of(lab, user))
    query = {"code": back["code"], "state": back["state"], "client_nonce": nonce}
    answer = httpx.get(f"{lab.vault.url}/v1/auth/oidc/oidc/callback", params=query)
    assert answer.status_code == 200, answer.text
    client.token = answer.json()["auth"]["client_token"]
    return client


def test_a_person_logs_in_to_openbao_in_the_browser(stack: Stack) -> None:
    client = vault_in_browser(stack.lab, "emma.leroy")
    assert {secret for secret in SECRETS if may_read(client, *secret)} == {("alpha", "env/dev/db")}


def workload_token(lab: TestLab, namespace: str, account: str = "vault") -> str:
    url = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    answer = lab.kubernetes.post(
        url, json={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    )
    answer.raise_for_status()
    return str(answer.json()["status"]["token"])


def workload_log_in(lab: TestLab, cluster: str, role: str, jwt: str) -> hvac.Client:
    client = hvac.Client(url=lab.vault.url)
    client.token = client.auth.kubernetes.login(role=role, jwt=jwt, mount_point=f"kubernetes/{cluster}")["auth"][
        "client_token"
    ]
    return client


def test_a_workload_reads_only_its_environment(stack: Stack) -> None:
    jwt = workload_token(stack.lab, "alpha-dev")
    client = workload_log_in(stack.lab, "nonprod-1", "alpha-dev", jwt)
    assert {secret for secret in SECRETS if may_read(client, *secret)} == {("alpha", "env/dev/db")}


@pytest.mark.parametrize(
    ("namespace", "account", "cluster", "role"),
    [
        ("alpha-dev", "vault", "prod-1", "alpha-prod"),
        ("alpha-dev", "vault", "nonprod-1", "beta-dev"),
        ("beta-dev", "vault", "nonprod-1", "alpha-dev"),
        ("alpha-dev", "default", "nonprod-1", "alpha-dev"),
        ("alpha-dev", "usine-deployer", "nonprod-1", "alpha-dev"),
    ],
)
def test_a_workload_is_refused_every_other_role(
    stack: Stack, namespace: str, account: str, cluster: str, role: str
) -> None:
    jwt = workload_token(stack.lab, namespace, account)
    with pytest.raises(
        (hvac.exceptions.Forbidden, hvac.exceptions.InvalidRequest, hvac.exceptions.InternalServerError)
    ):
        workload_log_in(stack.lab, cluster, role, jwt)


def deliver(lab: TestLab, namespace: str, name: str) -> dict[str, str]:
    """Return what External Secrets writes into a Secret: it does this with the objects that the API server has.

    Its controller requests a token of the store's account, logs in to Vault with the store's role, and reads the keys.
    """
    url = f"/apis/external-secrets.io/v1/namespaces/{namespace}"
    secret = lab.kubernetes.get(f"{url}/externalsecrets/{name}").raise_for_status().json()["spec"]
    assert secret["secretStoreRef"]["kind"] == "SecretStore"
    store = lab.kubernetes.get(f"{url}/secretstores/{secret['secretStoreRef']['name']}").raise_for_status().json()
    vault = store["spec"]["provider"]["vault"]
    login = vault["auth"]["kubernetes"]
    client = hvac.Client(url=vault["server"])
    jwt = workload_token(lab, namespace, login["serviceAccountRef"]["name"])
    client.auth.kubernetes.login(role=login["role"], jwt=jwt, mount_point=login["mountPath"])

    def read(key: str) -> dict[str, str]:
        path = key.removeprefix(f"{vault['path']}/")
        found = client.secrets.kv.v2.read_secret_version(path, mount_point=vault["path"], raise_on_deleted_version=True)
        return dict(found["data"]["data"])

    data: dict[str, str] = {}
    for source in secret.get("dataFrom") or ():
        data |= read(source["extract"]["key"])
    for one in secret.get("data") or ():
        data[one["secretKey"]] = read(one["remoteRef"]["key"])[one["remoteRef"]["property"]]
    return data


def test_secrets_of_the_tenant_file_are_delivered_and_none_of_another_environment(stack: Stack) -> None:
    lab = stack.lab
    kv = lab.vault.secrets.kv.v2
    kv.create_or_update_secret("env/dev/app/smtp", {"password": "first", "user": "u"}, mount_point="alpha")
    assert deliver(lab, "alpha-dev", "db") == {"value": "alpha/env/dev/db"}
    assert deliver(lab, "alpha-prod", "db") == {"value": "alpha/env/prod/db"}
    assert deliver(lab, "alpha-dev", "mail") == {"SMTP_PASSWORD": "first"}
    kv.create_or_update_secret("env/dev/app/smtp", {"password": "second"}, mount_point="alpha")
    assert deliver(lab, "alpha-dev", "mail") == {"SMTP_PASSWORD": "second"}, "a new value is read the next time"
    found = lab.kubernetes.get("/apis/external-secrets.io/v1/externalsecrets").json()["items"]
    assert {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in found} == {
        ("alpha-dev", "db"), ("alpha-dev", "mail"), ("alpha-prod", "db"),
    }  # fmt: skip
    # What a person with the right to write external secrets could ask for, by the store of their environment.
    for path in ("alpha/env/prod/db", "alpha/ci/x", "beta/env/dev/db", "env/dev/db"):
        spec = {
            "secretStoreRef": {"name": "vault", "kind": "SecretStore"},
            "dataFrom": [{"extract": {"key": path}}],
        }
        body = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "try"}}
        url = "/apis/external-secrets.io/v1/namespaces/alpha-dev/externalsecrets"
        lab.kubernetes.post(url, json={**body, "spec": spec}).raise_for_status()
        try:
            if path == "env/dev/db":
                assert deliver(lab, "alpha-dev", "try") == {"value": "alpha/env/dev/db"}
            else:
                with pytest.raises(hvac.exceptions.Forbidden):
                    deliver(lab, "alpha-dev", "try")
        finally:
            lab.kubernetes.delete(f"{url}/try").raise_for_status()


def access_review(
    lab: TestLab, subject: dict[str, object], namespace: str, verb: str, group: str, resource: str
) -> bool:
    attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": resource}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {**subject, "resourceAttributes": attributes},
    }
    answer = lab.kubernetes.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json=review)
    answer.raise_for_status()
    return bool(answer.json()["status"]["allowed"])


@pytest.mark.parametrize(
    ("group", "namespace", "verb", "api", "resource", "allowed"),
    [
        ("/alpha/dev/rw", "alpha-dev", "create", "apps", "deployments", True),
        ("/alpha/dev/rw", "alpha-dev", "get", "", "secrets", True),
        ("/alpha/dev/rw", "alpha-dev", "delete", "networking.k8s.io", "networkpolicies", False),
        ("/alpha/dev/rw", "alpha-dev", "update", "", "resourcequotas", False),
        ("/alpha/dev/rw", "alpha-dev", "create", "rbac.authorization.k8s.io", "rolebindings", False),
        ("/alpha/dev/rw", "alpha-prod", "list", "", "pods", False),
        ("/alpha/dev/rw", "beta-dev", "list", "", "pods", False),
        ("/alpha/prod/ro", "alpha-prod", "list", "", "pods", True),
        ("/alpha/prod/ro", "alpha-prod", "get", "", "secrets", False),
        ("/alpha/prod/ro", "alpha-prod", "create", "apps", "deployments", False),
        ("/beta/dev/rw", "alpha-dev", "list", "", "pods", False),
        ("/alpha/admin", "kube-system", "list", "", "pods", False),
    ],
)
def test_kubernetes_own_review_of_a_group(
    stack: Stack, group: str, namespace: str, verb: str, api: str, resource: str, *, allowed: bool
) -> None:
    subject: dict[str, object] = {"user": "oidc:someone", "groups": [f"oidc:{group}"]}
    assert access_review(stack.lab, subject, namespace, verb, api, resource) is allowed


@pytest.mark.parametrize(("namespace", "allowed"), [("alpha-dev", True), ("alpha-prod", False), ("beta-dev", False)])
def test_argocd_deploys_as_an_account_that_stays_in_its_namespace(
    stack: Stack, namespace: str, *, allowed: bool
) -> None:
    subject: dict[str, object] = {"user": "system:serviceaccount:alpha-dev:usine-deployer", "groups": []}
    assert access_review(stack.lab, subject, namespace, "create", "apps", "deployments") is allowed
    assert not access_review(stack.lab, subject, namespace, "delete", "networking.k8s.io", "networkpolicies")


def test_the_api_server_refuses_objects_that_reach_outside_their_namespace(stack: Stack) -> None:
    """Also to Argo CD's deploying account, and to an operator with every right (issue 11.A5, A8)."""
    client = stack.lab.kubernetes
    registry = f"127.0.0.1:{stack.lab.home.ports.harbor}"
    with admission_operators.known(client):
        assert admission.surprises(client, registry, stack.lab.vault.url) == []


def test_an_accepted_object_cannot_be_changed_into_a_refused_one(stack: Stack) -> None:
    registry = f"127.0.0.1:{stack.lab.home.ports.harbor}"
    assert admission.surprising_updates(stack.lab.kubernetes, registry) == []


@pytest.mark.parametrize(("namespace", "tenant"), [("alpha-dev", None), ("alpha-dev", "beta"), ("default", "alpha")])
def test_nobody_may_add_a_namespace_to_a_tenant_or_remove_one(stack: Stack, namespace: str, tenant: str | None) -> None:
    answer = stack.lab.kubernetes.patch(
        f"/api/v1/namespaces/{namespace}?dryRun=All",
        json={"metadata": {"labels": {"usine.dev/tenant": tenant}}},
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert (answer.status_code, "from the day it is made, or never" in answer.text) == (403, True), answer.text


def test_a_namespace_that_exists_is_not_taken_over(stack: Stack) -> None:
    """The run is refused before the engine starts, and changes nothing (issue 11.A6)."""
    client = stack.lab.kubernetes
    made = {"metadata": {"name": "gamma-dev", "labels": {"service": "of-the-platform"}}}
    client.post("/api/v1/namespaces", json=made).raise_for_status()
    before = (live.kubernetes(stack.lab), stack.state())
    stack.tenant("gamma", GAMMA)
    try:
        ended = stack.usine("up")
        assert (ended.exit_code, "nothing was touched" in ended.output) == (1, True), ended.output
        assert "the namespace gamma-dev exists on cluster nonprod-1 and is no tenant's" in ended.output
        assert (live.kubernetes(stack.lab), stack.state()) == before
        assert client.get("/api/v1/namespaces/gamma-dev").json()["metadata"]["labels"]["service"] == "of-the-platform"
    finally:
        stack.remove("gamma")
        client.delete("/api/v1/namespaces/gamma-dev")


def test_a_workload_may_have_tokens_reviewed_and_nothing_else_of_others(stack: Stack) -> None:
    subject: dict[str, object] = {"user": "system:serviceaccount:alpha-dev:vault", "groups": []}
    assert access_review(stack.lab, subject, "", "create", "authentication.k8s.io", "tokenreviews")
    assert not access_review(stack.lab, subject, "", "create", "authorization.k8s.io", "subjectaccessreviews")


def test_a_person_uses_kubernetes_with_a_token_of_keycloak(stack: Stack) -> None:
    lab = stack.lab
    password = password_of(lab, "emma.leroy")
    token = log_in(
        issuer(lab), str(lab.home.ca), "kubernetes", "emma.leroy", password, "http://localhost:8000"
    ).id_token
    with httpx.Client(
        base_url=f"https://127.0.0.1:{lab.home.ports.kube_apiserver}",
        verify=trust(lab),
        headers={"Authorization": f"Bearer {token}"},
    ) as emma:
        # The API server reads a new issuer every ten seconds.
        deadline = time.monotonic() + 60
        while emma.get("/api/v1/namespaces/alpha-dev/pods").status_code == 401 and time.monotonic() < deadline:
            time.sleep(1)
        statuses = {
            ns: emma.get(f"/api/v1/namespaces/{ns}/pods").status_code for ns in ("alpha-dev", "alpha-prod", "beta-dev")
        }
        assert statuses == {"alpha-dev": 200, "alpha-prod": 200, "beta-dev": 403}
        assert emma.get("/api/v1/namespaces/alpha-prod/secrets").status_code == 403
