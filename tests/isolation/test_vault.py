"""OpenBao gives people, workloads and pipelines exactly the rights of the table, on every tenant's secrets."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import hvac  # type: ignore[import-untyped]
import pytest

from lab.testing.platforms import TestLab
from model.naming import SIGNING_MOUNT
from model.tenant import Right
from tests.isolation.tenants import TENANTS, plan, roles_given

pytestmark = pytest.mark.servers

R = Right
_WRITES = ("create", "read", "update", "delete")
#: Path below a tenant's mount -> capability -> the right that gives it; None if no member of a tenant has it.
PEOPLE: dict[str, dict[str, Right | None]] = {
    "metadata/": {"list": R.VAULT_NAMES, "delete": R.VAULT_DESTROY},
    "metadata/env/prod/db": {"read": R.VAULT_NAMES, "update": R.VAULT_SECRETS, "delete": R.VAULT_DESTROY},
    "data/env/dev/db": dict.fromkeys(_WRITES, R.VAULT_SECRETS_NONPROD),
    "data/env/prod/db": dict.fromkeys(_WRITES, R.VAULT_SECRETS_PROD),
    "undelete/env/prod/db": {"update": R.VAULT_SECRETS_PROD},
    "data/ci/registry/push": dict.fromkeys(_WRITES, R.VAULT_SECRETS),
    "data/ci-env/dev/token": dict.fromkeys(_WRITES, R.VAULT_SECRETS_NONPROD),
    "data/ci-env/prod/token": dict.fromkeys(_WRITES, R.VAULT_SECRETS_PROD),
    "data/operations/mirror/copy": dict.fromkeys(_WRITES, R.VAULT_SECRETS),
    "data/review/registry/pull": dict.fromkeys(_WRITES, R.VAULT_SECRETS),
    "data/mirror/copy": dict.fromkeys(_WRITES, R.VAULT_SECRETS),
    # The name only begins like that of an environment.
    "data/env/development/db": dict.fromkeys(_WRITES, R.VAULT_SECRETS),
    "destroy/env/dev/db": {"update": R.VAULT_DESTROY},
    "config": {"update": None},
}
#: The paths below a tenant's mount that each of its machines can read. Machines can write nothing.
MACHINES: dict[str, set[str]] = {
    "env.dev": {"data/env/dev/db"},
    "env.prod": {"data/env/prod/db", "metadata/env/prod/db"},  # with its versions
    "ci": {"data/ci/registry/push", "data/review/registry/pull"},
    # The role of an environment has the policy `ci` too.
    "ci.dev": {"data/ci-env/dev/token"},
    "ci.prod": {"data/ci-env/prod/token"},
    "review": {"data/review/registry/pull"},
    "operations": {"data/operations/mirror/copy", "data/mirror/copy"},
}
#: Paths outside of the tenants' mounts. No member of a tenant has any capability on them.
PLATFORM = (
    *("sys/policies/acl/live.ci", "sys/mounts/live", "sys/auth/gitlab", "auth/gitlab/role/live.ci", "sys/seal"),
    *("auth/token/create", "auth/token/create-orphan", "identity/group/name/live.owner", "sys/audit/file"),
    "identity/entity",
)


@pytest.fixture(scope="module")
def vault(light_lab: TestLab) -> Iterator[Any]:
    """OpenBao with only the plan's mounts and policies for the tenants of the matrix."""
    client = light_lab.vault
    policies = {str(r.inputs["name"]): str(r.inputs["policy"]) for r in plan().resources if r.type == _POLICY}
    for slug in TENANTS:
        client.sys.enable_secrets_engine("kv", path=slug, options={"version": "2"})
    client.sys.enable_secrets_engine("transit", path=SIGNING_MOUNT)
    for key in keys():
        client.secrets.transit.create_key(**key, mount_point=SIGNING_MOUNT)
    for name, text in policies.items():
        client.sys.create_or_update_policy(name, text)
    yield client
    for name in policies:
        client.sys.delete_policy(name)
    for slug in (*TENANTS, SIGNING_MOUNT):
        client.sys.disable_secrets_engine(slug)


_POLICY = "vault:index/policy:Policy"
_KEY = "vault:transit/secretBackendKey:SecretBackendKey"


def keys() -> list[dict[str, Any]]:
    """Return name and properties of each key of the plan, as the transit engine takes them."""
    found = [r.inputs for r in plan().resources if r.type == _KEY]
    return [
        {
            "name": key["name"],
            "key_type": key["type"],
            "exportable": key["exportable"],
            "allow_plaintext_backup": key["allowPlaintextBackup"],
        }
        for key in found
    ]


def policies() -> set[str]:
    return {str(r.inputs["name"]) for r in plan().resources if r.type == _POLICY}


def identities() -> Iterator[tuple[str, str, frozenset[Right] | None]]:
    """Yield policy, tenant and rights of each identity of the plan. The rights of a machine are None."""
    known = policies()
    for slug in TENANTS:
        for role, rights in roles_given(slug).items():
            if f"{slug}.role.{role}" in known:
                yield f"{slug}.role.{role}", slug, rights
        for machine in MACHINES:
            if f"{slug}.{machine}" in known:
                yield f"{slug}.{machine}", slug, None


def expected(policy: str, own: str, rights: frozenset[Right] | None, slug: str, path: str, capability: str) -> bool:
    """Return whether the table allows this capability."""
    if slug != own:
        return False
    if rights is None:
        allowed = ("read", "list") if path.startswith("metadata/") else ("read",)
        return capability in allowed and path in MACHINES[policy.removeprefix(f"{own}.")]
    right = PEOPLE[path].get(capability)
    return right is not None and right in rights


def test_which_roles_and_machines_have_a_policy() -> None:
    """A role with a right in Vault has one. Machines have one in the states in which they work."""
    for slug in TENANTS:
        for role, rights in roles_given(slug).items():
            assert (f"{slug}.role.{role}" in policies()) == any(right.system == "vault" for right in rights)
    machines = {slug: {m for m in MACHINES if f"{slug}.{m}" in policies()} for slug in TENANTS}
    everything = set(MACHINES)
    assert machines == {
        "live": everything,
        "paused": {"env.dev", "env.prod"},
        "closed": set(),
        "own": everything,
        "ownpaused": {"env.dev", "env.prod"},
    }


def test_openbao_reports_exactly_the_capabilities_of_the_table(vault: Any) -> None:
    paths = [f"{slug}/{path}" for slug in TENANTS for path in PEOPLE]
    wrong, asked, granted = [], 0, 0
    for policy, own, rights in identities():
        token = vault.auth.token.create(policies=[policy], ttl="10m")["auth"]["client_token"]
        answers = vault.adapter.post("/v1/sys/capabilities", json={"token": token, "paths": [*paths, *PLATFORM]})
        for slug, (path, questions) in itertools.product(TENANTS, PEOPLE.items()):
            capabilities = set(answers[f"{slug}/{path}"])
            for capability in {*questions, *_WRITES, "list", "patch", "sudo"}:
                if capability not in questions and rights is not None and slug == own:
                    continue
                asked += 1
                wanted = expected(policy, own, rights, slug, path, capability)
                granted += wanted
                if wanted != (capability in capabilities or "root" in capabilities):
                    wrong.append(f"{policy} {capability} {slug}/{path}: {sorted(capabilities)}")
        wrong += [f"{policy} {path}" for path in PLATFORM if answers[path] != ["deny"]]
    assert not wrong, "\n".join(wrong)
    assert granted > 100
    assert asked > 5000


def test_values_can_be_read_and_written_as_in_the_table(vault: Any) -> None:
    """Reads and writes every value of every tenant with the token of every identity."""
    values = [path.removeprefix("data/") for path in PEOPLE if path.startswith("data/")]
    for slug, path in itertools.product(TENANTS, values):
        vault.secrets.kv.v2.create_or_update_secret(path, secret={"of": slug}, mount_point=slug)
    wrong = []
    for policy, own, rights in identities():
        token = vault.auth.token.create(policies=[policy], ttl="10m")["auth"]["client_token"]
        client = hvac.Client(url=vault.url, token=token, session=vault.session)
        for slug, path in itertools.product(TENANTS, values):
            wanted = expected(policy, own, rights, slug, f"data/{path}", "read")
            if wanted != (_read(client, slug, path) == slug):
                wrong.append(f"{policy} reads {slug}/{path}")
            wanted = expected(policy, own, rights, slug, f"data/{path}", "update")
            if wanted != _writes(client, slug, path):
                wrong.append(f"{policy} writes {slug}/{path}")
    assert not wrong, "\n".join(wrong)


def _read(client: Any, slug: str, path: str) -> str | None:
    try:
        found = client.secrets.kv.v2.read_secret_version(path, mount_point=slug, raise_on_deleted_version=True)
    except hvac.exceptions.Forbidden:
        return None
    return str(found["data"]["data"]["of"])


def _writes(client: Any, slug: str, path: str) -> bool:
    try:
        client.secrets.kv.v2.create_or_update_secret(path, secret={"of": slug}, mount_point=slug)
    except hvac.exceptions.Forbidden:
        return False
    return True


def test_only_protected_jobs_sign_only_for_their_tenant_and_nobody_gets_the_key(vault: Any) -> None:
    assert {key["name"] for key in keys()} == set(TENANTS)
    mount, digest = f"/v1/{SIGNING_MOUNT}", base64.b64encode(hashlib.sha256(b"image").digest()).decode()
    body = {"input": digest, "prehashed": True}
    signed, read = set(), set()
    for policy, _own, _rights in identities():
        token = vault.auth.token.create(policies=[policy], ttl="10m")["auth"]["client_token"]
        with httpx.Client(base_url=vault.url, headers={"X-Vault-Token": token}, trust_env=False) as client:
            for slug in TENANTS:
                if client.post(f"{mount}/sign/{slug}/sha2-256", json=body).is_success:
                    signed.add((policy, slug))
                if client.get(f"{mount}/keys/{slug}").is_success:
                    read.add((policy, slug))
                for method, path in (
                    *(("GET", f"{kind}/{slug}") for kind in ("export/signing-key", "backup", "byok-export")),
                    *(("POST", f"keys/{slug}{what}") for what in ("", "/config", "/rotate", "/trim", "/import")),
                    *(("DELETE", f"keys/{slug}"), ("LIST", "keys"), ("POST", f"restore/{slug}")),
                    *(("POST", f"{kind}/{slug}") for kind in ("encrypt", "decrypt", "hmac", "datakey/plaintext")),
                    *(("POST", f"sign/{slug}"), ("POST", f"sign/{slug}/sha2-512")),
                ):
                    answer = client.request(method, f"{mount}/{path}", json=body)
                    assert answer.status_code == httpx.codes.FORBIDDEN, (policy, method, path, answer.text)
    own = {(policy, own) for policy, own, _ in identities()}
    assert signed == {one for one in own if one[0].endswith(".ci")}
    assert read == {one for one in own if one[0].endswith((".ci", ".review")) or ".role." in one[0]}
    root = httpx.Client(base_url=vault.url, headers={"X-Vault-Token": vault.token}, trust_env=False)
    for path in ("export/signing-key/live", "backup/live"):
        assert not root.get(f"{mount}/{path}").is_success, "not even the administrator"
