"""The vault plugin on a real OpenBao: the life cycle of each resource."""

from __future__ import annotations

import datetime
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from lab.plugins.server import Host
from lab.plugins.vault import provider
from lab.plugins.wire import Secret, reveal
from lab.tests.plugins import servers
from lab.tests.plugins.rpc import Made, Plugin, PluginFailure

MOUNT = "vault:index/mount:Mount"
AUTH = "vault:index/authBackend:AuthBackend"
POLICY = "vault:index/policy:Policy"
JWT = "vault:jwt/authBackend:AuthBackend"
JWT_ROLE = "vault:jwt/authBackendRole:AuthBackendRole"
KUBE = "vault:kubernetes/authBackendConfig:AuthBackendConfig"
KUBE_ROLE = "vault:kubernetes/authBackendRole:AuthBackendRole"
GROUP = "vault:identity/group:Group"
ALIAS = "vault:identity/groupAlias:GroupAlias"
SECRET = "vault:kv/secretV2:SecretV2"
KEY = "vault:transit/secretBackendKey:SecretBackendKey"


@pytest.fixture(scope="module")
def public_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem.decode().strip()


@pytest.fixture(scope="module")
def certificate() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(1)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def api(vault_address: str) -> httpx.Client:
    return httpx.Client(base_url=f"{vault_address}/v1/", headers={"X-Vault-Token": servers.TOKEN})


def manual_request(api: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    response = api.request(method, path, json=body)
    response.raise_for_status()
    return response.json() if response.content else None


def jwt(plugin: Plugin, path: str, key: str, **extra: Any) -> Made:
    return plugin.made(JWT, {"path": path, "jwtValidationPubkeys": [key], "boundIssuer": "https://git", **extra})


def test_mount(vault_plugin: Plugin, api: httpx.Client, unique: str) -> None:
    made = vault_plugin.made(MOUNT, {"path": f"tenants/{unique}", "type": "kv", "options": {"version": "2"}})
    assert made.id == f"tenants/{unique}"
    assert made.state["id"] == made.id
    made.assert_no_drift()
    made.change(description="Secrets", maxLeaseTtlSeconds=3600)
    assert made.diff(type="transit").replaces == ("type",)
    manual_request(api, "POST", f"sys/mounts/{made.id}/tune", {"description": "manual"})
    made.assert_drift("description")
    made.repair()
    assert made.imported().none
    old = made.id
    made.change(path=f"moved/{unique}")
    assert made.state["id"] == f"moved/{unique}"
    assert httpx.codes.is_error(api.get(f"sys/mounts/{old}").status_code)
    made.remove()
    vault_plugin.delete(MOUNT, made.id, made.state)


def test_the_alias_kv_v2_has_no_diff(vault_plugin: Plugin, unique: str) -> None:
    made = vault_plugin.made(MOUNT, {"path": unique, "type": "kv-v2"})
    assert made.state["type"] == "kv-v2"
    made.assert_no_drift()
    made.remove()


def test_policy(vault_plugin: Plugin, api: httpx.Client, unique: str) -> None:
    text = 'path "a/*" { capabilities = ["read"] }\n'
    made = vault_plugin.made(POLICY, {"name": unique, "policy": text})
    assert made.id == unique
    made.change(policy=text + "# more\n")
    assert made.diff(name="other").replaces == ("name",)
    assert made.imported().none
    manual_request(api, "PUT", f"sys/policies/acl/{unique}", {"policy": "# emptied"})
    made.assert_drift("policy")
    made.repair()
    # Upstream reads a missing policy as an empty one, so the next run writes it again.
    manual_request(api, "DELETE", f"sys/policies/acl/{unique}")
    made.assert_drift("policy")
    made.repair()
    vault_plugin.delete(POLICY, made.id, made.state)
    vault_plugin.delete(POLICY, made.id, made.state)
    assert api.get(f"sys/policies/acl/{unique}").status_code == httpx.codes.NOT_FOUND


def test_auth_back_end(vault_plugin: Plugin, api: httpx.Client, unique: str) -> None:
    made = vault_plugin.made(AUTH, {"type": "kubernetes", "path": unique})
    made.assert_no_drift()
    made.change(description="pods")
    manual_request(api, "POST", f"sys/auth/{unique}/tune", {"description": "manual"})
    made.assert_drift("description")
    made.repair()
    assert made.imported().none
    made.change(path=f"{unique}-moved")
    made.remove()
    vault_plugin.delete(AUTH, made.id, made.state)


def test_jwt_back_end_and_role(vault_plugin: Plugin, api: httpx.Client, unique: str, public_key: str) -> None:
    back_end = jwt(vault_plugin, unique, public_key)
    assert back_end.id == unique
    back_end.assert_no_drift()
    back_end.change(boundIssuer="https://git.example.fr")
    role = vault_plugin.made(
        JWT_ROLE,
        {
            "backend": f"{unique}/", "roleName": "ci", "roleType": "jwt", "userClaim": "sub",
            "boundAudiences": ["b", "a"], "boundClaims": {"project_id": "12", "ref": "main,release"},
            "tokenPolicies": ["p"], "tokenTtl": 600,
            "tokenBoundCidrs": ["10.0.0.1/32"],
        },
    )  # fmt: skip
    assert role.id == f"auth/{unique}/role/ci"
    assert role.state["backend"] == unique
    assert role.state["boundClaims"] == {"project_id": "12", "ref": "main,release"}
    role.assert_no_drift()
    role.change(boundAudiences=["a"], boundClaims={"project_id": "13"}, tokenTtl=None)
    assert role.diff(roleName="x").replaces == ("roleName",)
    manual_request(
        api, "PUT", role.id,
        {"role_type": "jwt", "user_claim": "sub", "bound_claims": {"project_id": ["13"]}, "bound_audiences": ["evil"]},
    )  # fmt: skip
    role.assert_drift("boundAudiences[0]")
    role.repair()
    assert role.imported().none
    role.remove()
    vault_plugin.delete(JWT_ROLE, role.id, role.state)
    assert back_end.imported().none
    back_end.remove()


def test_a_pem_with_a_final_newline_always_has_a_diff(vault_plugin: Plugin, unique: str, public_key: str) -> None:
    """As with the official plugin on this server."""
    news, _ = vault_plugin.check(JWT, {"path": unique, "jwtValidationPubkeys": [public_key + "\n"]})
    id_, state = vault_plugin.create(JWT, news)
    assert vault_plugin.diff(JWT, state, news).paths == {"jwtValidationPubkeys[0]": "update"}
    vault_plugin.delete(JWT, id_, state)


def test_a_mount_whose_configuration_fails_stays_in_the_state(vault_plugin: Plugin, unique: str) -> None:
    news, _ = vault_plugin.check(JWT, {"path": unique, "oidcDiscoveryUrl": "http://127.0.0.1:1/none"})
    with pytest.raises(PluginFailure, match="error updating configuration to Vault") as caught:
        vault_plugin.create(JWT, news)
    assert caught.value.id == unique
    assert caught.value.state is not None
    assert caught.value.state["oidcDiscoveryUrl"] == "http://127.0.0.1:1/none"
    vault_plugin.delete(JWT, caught.value.id, caught.value.state)


def test_kubernetes_configuration_and_role(
    vault_plugin: Plugin, api: httpx.Client, unique: str, certificate: str
) -> None:
    mount = vault_plugin.made(AUTH, {"type": "kubernetes", "path": unique})
    config = vault_plugin.made(
        KUBE,
        {
            "backend": unique, "kubernetesHost": "https://127.0.0.1:6443", "disableLocalCaJwt": True,
            "kubernetesCaCert": certificate,
            "tokenReviewerJwt": "reviewer-marker",
        },
    )  # fmt: skip
    assert config.id == f"auth/{unique}/config"
    assert config.state["tokenReviewerJwt"] == Secret("reviewer-marker")
    config.assert_no_drift()
    config.change(kubernetesHost="https://127.0.0.1:6444")
    manual_request(
        api,
        "PUT",
        config.id,
        {"kubernetes_host": "https://evil:1", "kubernetes_ca_cert": certificate, "disable_local_ca_jwt": True},
    )
    assert config.refresh()
    assert config.diff().paths["kubernetesHost"] == "update"
    config.repair()
    role = vault_plugin.made(
        KUBE_ROLE,
        {
            "backend": unique, "roleName": "dev", "boundServiceAccountNames": ["vault"],
            "boundServiceAccountNamespaces": ["b", "a"], "tokenPolicies": ["p"], "audience": "vault",
        },
    )  # fmt: skip
    role.assert_no_drift()
    role.change(boundServiceAccountNamespaces=["a"], tokenTtl=60)
    manual_request(
        api, "PUT", role.id, {"bound_service_account_names": ["*"], "bound_service_account_namespaces": ["a"]}
    )
    assert role.refresh()
    assert "boundServiceAccountNames[0]" in role.diff().paths
    role.repair()
    assert role.imported().none
    role.remove()
    mount.remove()
    assert not config.refresh()


def test_group_and_alias(vault_plugin: Plugin, api: httpx.Client, unique: str, public_key: str) -> None:
    back_end = jwt(vault_plugin, unique, public_key)
    group = vault_plugin.made(
        GROUP, {"name": unique, "type": "external", "policies": ["b", "a"], "metadata": {"tenant": "t"}}
    )
    group.assert_no_drift()
    group.change(policies=["a"], metadata={"tenant": "u"})
    assert group.diff(type="internal").replaces == ("type",)
    manual_request(
        api, "PUT", f"identity/group/id/{group.id}", {"policies": ["root-like"], "metadata": {"tenant": "u"}}
    )
    group.assert_drift("policies[0]")
    group.repair()
    alias = vault_plugin.made(
        ALIAS,
        {"name": f"/{unique}/dev", "mountAccessor": back_end.state["accessor"], "canonicalId": group.id},
    )
    alias.assert_no_drift()
    alias.change(name=f"/{unique}/ops")
    assert alias.imported().none
    assert group.imported().none
    alias.remove()
    vault_plugin.delete(ALIAS, alias.id, alias.state)
    group.remove()
    vault_plugin.delete(GROUP, group.id, group.state)
    back_end.remove()


def test_secret(vault_plugin: Plugin, api: httpx.Client, unique: str) -> None:
    mount = vault_plugin.made(MOUNT, {"path": unique, "type": "kv", "options": {"version": "2"}})
    secret = vault_plugin.made(
        SECRET, {"mount": unique, "name": "ci/token", "dataJson": json.dumps({"b": "1", "a": "marker"})}
    )
    assert secret.id == f"{unique}/data/ci/token"
    assert secret.state["dataJson"] == Secret('{"a":"marker","b":"1"}')
    assert manual_request(api, "GET", secret.id)["data"]["data"] == {"a": "marker", "b": "1"}
    secret.assert_no_drift()
    secret.change(dataJson=json.dumps({"a": "rotated"}))
    assert secret.diff(name="other").replaces == ("name",)
    with pytest.raises(PluginFailure) as caught:
        vault_plugin.create(SECRET, {"mount": f"no-{unique}", "name": "n", "dataJson": '{"k":"leak-marker"}'})
    assert "leak-marker" not in str(caught.value)
    secret.remove()
    mount.remove()


def test_an_auth_mount_is_looked_up(vault_plugin: Plugin) -> None:
    found = vault_plugin.invoke("vault:index/getAuthBackend:getAuthBackend", path="token")
    assert found["type"] == "token"
    assert found["accessor"].startswith("auth_token_")
    with pytest.raises(PluginFailure, match="mount not found"):
        vault_plugin.invoke("vault:index/getAuthBackend:getAuthBackend", path="nowhere")


def test_requests_use_a_short_lived_child_token(vault_address: str, api: httpx.Client, unique: str) -> None:
    manual_request(
        api,
        "PUT",
        f"sys/policies/acl/{unique}",
        {"policy": 'path "sys/policies/acl/*" { capabilities = ["read", "update"] }'},
    )
    body = {"policies": [unique], "no_default_policy": True}
    token = manual_request(api, "POST", "auth/token/create", body)["auth"]["client_token"]
    plugin = Plugin(provider.make(Host(None)))
    try:
        plugin.configure(address=vault_address, token=token)
        news = {"name": f"{unique}-other", "policy": "# x"}
        with pytest.raises(PluginFailure, match="failed to create limited child token") as caught:
            plugin.create(POLICY, news)
        assert token not in str(caught.value)
        plugin.configure(address=vault_address, token=token, skipChildToken="true")
        assert plugin.create(POLICY, news)[0] == f"{unique}-other"
    finally:
        plugin.close()


def test_many_requests_at_once(vault_plugin: Plugin, unique: str) -> None:
    def one(i: int) -> Made:
        return vault_plugin.made(POLICY, {"name": f"{unique}-{i}", "policy": f"# {i}"})

    with ThreadPoolExecutor(32) as pool:
        made = list(pool.map(one, range(64)))
    assert [reveal(item.state["policy"]) for item in made] == [f"# {i}" for i in range(64)]
    for item in made:
        vault_plugin.delete(POLICY, item.id, item.state)


def test_transit_key(vault_plugin: Plugin, api: httpx.Client, unique: str) -> None:
    mount = vault_plugin.made(MOUNT, {"path": unique, "type": "transit"})
    made = vault_plugin.made(KEY, {"backend": unique, "name": "alpha", "type": "ecdsa-p256"})
    assert made.id == f"{unique}/keys/alpha"
    (version,) = made.state["keys"]
    assert version["public_key"].startswith("-----BEGIN PUBLIC KEY-----")
    assert (made.state["latestVersion"], made.state["supportsSigning"], made.state["exportable"]) == (1, True, False)
    made.assert_no_drift()
    assert made.imported().none
    # A rotation is no change of what the program declares.
    manual_request(api, "POST", f"{made.id}/rotate")
    assert made.refresh()
    assert made.state["latestVersion"] == 2
    assert made.diff().none
    manual_request(api, "POST", f"{made.id}/config", {"deletion_allowed": True})
    made.assert_drift("deletionAllowed")
    made.repair()
    assert made.diff(type="ed25519").replaces == ("type",)
    with pytest.raises(PluginFailure, match="error deleting key"):
        vault_plugin.delete(KEY, made.id, made.state)
    made.change(deletionAllowed=True)
    made.remove()
    assert api.get(made.id).status_code == httpx.codes.NOT_FOUND
    mount.remove()


def test_a_transit_key_stays_exportable(vault_plugin: Plugin, unique: str) -> None:
    mount = vault_plugin.made(MOUNT, {"path": unique, "type": "transit"})
    made = vault_plugin.made(KEY, {"backend": unique, "name": "alpha", "deletionAllowed": True, "exportable": True})
    with pytest.raises(PluginFailure, match="cannot be disabled"):
        made.diff(exportable=False)
    made.remove()
    mount.remove()
