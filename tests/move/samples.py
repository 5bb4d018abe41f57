"""The state of one stack with the foundation and tenants, as the engine writes it."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from model.units import units_of
from pulumi_facts.values import RESOURCE_SIGNATURE, SECRET_SIGNATURE, SIGNATURE

BASE = "prod"
SALT = "v1:aaa=:v1:bbb:ccc"
_COMPONENT = "usine:usine:TenantProject"
_VAULT = f"{_COMPONENT}$usine:vault:VaultTenant"
PROVIDERS = ("vault", "gitlab", "gitlab-operations", "kubernetes-prod-1")


def urn(types: str, name: str, stack: str = BASE) -> str:
    return f"urn:pulumi:{stack}::usine::{types}::{name}"


def stack_urn(stack: str = BASE) -> str:
    return urn("pulumi:pulumi:Stack", f"usine-{stack}", stack)


def provider(name: str) -> dict[str, Any]:
    type_ = f"pulumi:providers:{name.split('-', 1)[0]}"
    return resource(urn(type_, name), type_, parent=stack_urn(), id=f"id-of-{name}")


def reference(name: str) -> str:
    made = provider(name)
    return f"{made['urn']}::{made['id']}"


def resource(urn_: str, type_: str, **fields: Any) -> dict[str, Any]:
    return {"urn": urn_, "custom": "id" in fields, "type": type_, "modified": "2026-11-30T09:00:00Z", **fields}


def secret(text: str) -> dict[str, str]:
    return {SIGNATURE: SECRET_SIGNATURE, "ciphertext": text}


def _of_foundation() -> list[dict[str, Any]]:
    mount = urn("usine:usine:Foundation$vault:index/mount:Mount", "foundation/vault/mount")
    parent = urn("usine:usine:Foundation", "foundation")
    return [
        resource(parent, "usine:usine:Foundation", parent=stack_urn()),
        resource(mount, "vault:index/mount:Mount", parent=parent, id="platform", provider=reference("vault")),
    ]


def _of_tenant(slug: str, *, scheduled: bool) -> list[dict[str, Any]]:
    parent, system = urn(_COMPONENT, slug), urn(_VAULT, f"{slug}/vault")
    mount = urn(f"{_VAULT}$vault:index/mount:Mount", f"{slug}/vault/mount")
    shared = _of_foundation()[1]["urn"]
    made = [
        resource(parent, _COMPONENT, parent=stack_urn()),
        resource(system, "usine:vault:VaultTenant", parent=parent, dependencies=[shared]),
        resource(
            mount,
            "vault:index/mount:Mount",
            parent=system,
            id=slug,
            protect=True,
            provider=reference("vault"),
            inputs={"path": slug, "description": f"see {shared}"},
            outputs={"owner": {SIGNATURE: RESOURCE_SIGNATURE, "urn": parent}},
        ),
        resource(
            urn(f"{_VAULT}$vault:kv/secretV2:SecretV2", f"{slug}/vault/token"),
            "vault:kv/secretV2:SecretV2",
            parent=system,
            id=f"{slug}/token",
            provider=reference("vault"),
            dependencies=[shared, mount],
            propertyDependencies={"mount": [mount], "dataJson": [shared]},
            deletedWith=mount,
            aliases=[urn(f"{_VAULT}$vault:kv/secretV2:SecretV2", f"{slug}/old")],
            inputs={"dataJson": secret(f"cipher of {slug}")},
        ),
    ]
    if scheduled:
        type_ = "gitlab:index/pipelineSchedule:PipelineSchedule"
        schedule = urn(f"{_COMPONENT}${type_}", f"{slug}/gitlab/schedule")
        made.append(resource(schedule, type_, parent=parent, id="7", provider=reference("gitlab-operations")))
    return made


def whole(slugs: Iterable[str], scheduled: Iterable[str] = ()) -> dict[str, Any]:
    """Return the state of one stack; `scheduled` are the tenants with scheduled work."""
    slugs, scheduled = list(slugs), set(scheduled)
    outputs = {
        "platform": {"foundation": "include", "issuer": "https://example.fr"},
        "tenants": {slug: {"state": "active"} for slug in slugs},
    }
    names = [name for name in PROVIDERS if scheduled or name != "gitlab-operations"]
    resources = [
        resource(stack_urn(), "pulumi:pulumi:Stack", outputs=outputs),
        *map(provider, names),
        *_of_foundation(),
        *(one for slug in slugs for one in _of_tenant(slug, scheduled=slug in scheduled)),
    ]
    secrets = {"type": "passphrase", "state": {"salt": SALT}}
    deployment = {"manifest": {"version": "v3.259.0"}, "secrets_providers": secrets, "resources": resources}
    return copy.deepcopy({"version": 3, "deployment": deployment})


def alone(slugs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the units of a fleet with a stack per tenant."""
    return units_of(slugs, None)


def providers(
    units: Mapping[str, Collection[str]], scheduled: Collection[str] = ()
) -> Mapping[str | None, frozenset[str]]:
    """Return the providers that the program makes in each stack."""
    common = frozenset({"vault", "gitlab", "kubernetes-prod-1"})
    made: dict[str | None, frozenset[str]] = {None: common}
    for unit, slugs in units.items():
        made[unit] = common | (set() if frozenset(slugs).isdisjoint(scheduled) else {"gitlab-operations"})
    return made
