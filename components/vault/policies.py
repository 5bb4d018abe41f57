"""Vault policies of a tenant, as plain values and as HCL text. This module does not use Pulumi.

Layout of a tenant's KV version 2 mount:

- ``env/<environment>/...``  what the workloads of that environment read
- ``ci/...``                 what pipelines of protected branches and tags read
- ``ci-env/<environment>/...``  what jobs of that environment read, on protected branches and tags
- ``operations/...``         what the platform's scheduled work reads, and no pipeline of the tenant
- ``review/...``             what every pipeline reads, also those of merge requests
- ``packages/<reader>``      the tokens of readers of packages outside the platform; no machine of the platform reads it
- anything else              the team's own secrets; a machine reads only those that the tenant file names (for example
                             the credentials of a mirror's source)

The tenant's key that signs images is not in this mount, but in the platform's transit mount ``usine-signing``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from model.access import secrets
from model.clusters import Cluster
from model.naming import (
    CI_ENVIRONMENTS_FOLDER,
    CI_FOLDER,
    OPERATIONS_FOLDER,
    PLATFORM_MOUNT,
    PULL_SECRET,
    REVIEW_FOLDER,
    SIGNING_MOUNT,
    environment_folder,
    names_of,
)
from model.tenant import Environment, Right, Tenant
from model.zone_naming import pulled_folder, zone_folder

_READ = ("read",)
_LIST = ("list", "read")
_WRITE = ("create", "read", "update", "patch")
_WRITE_AND_DELETE = (*_WRITE, "delete", "list")


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One path of a policy (globs are allowed, as in ``sys/policies/acl``) and its capabilities."""

    path: str
    capabilities: tuple[str, ...]


def to_hcl(rules: Iterable[PolicyRule]) -> str:
    """Return the rules as HCL, which Vault stores verbatim. The same rules give the same bytes."""
    return "\n".join(f'path "{r.path}" {{\n  capabilities = {json.dumps(r.capabilities)}\n}}' for r in rules)


def role_rules(tenant: Tenant, rights: Collection[Right]) -> tuple[PolicyRule, ...]:
    """Return the rules that these rights give in the tenant's mount."""
    mount = names_of(tenant).secrets_mount
    names_only = (PolicyRule(f"{mount}/metadata/*", _LIST),)
    if Right.VAULT_DESTROY in rights:
        return (
            *_undoable(mount, ""),
            PolicyRule(f"{mount}/metadata/*", _WRITE_AND_DELETE),  # deleting metadata destroys every version
            PolicyRule(f"{mount}/destroy/*", ("update",)),
        )
    if Right.VAULT_SECRETS in rights:
        return (*_undoable(mount, ""), PolicyRule(f"{mount}/metadata/*", (*_WRITE, "list")))
    if Right.VAULT_NAMES not in rights:
        return ()
    writable = [environment.name for environment in tenant.environments if secrets(environment) in rights]
    folders = [folder for name in writable for folder in (environment_folder(name), f"{CI_ENVIRONMENTS_FOLDER}/{name}")]
    return (*names_only, *(rule for folder in folders for rule in _undoable(mount, f"{folder}/")))


def _undoable(mount: str, below: str) -> tuple[PolicyRule, ...]:
    """Return the rules for all operations that can be undone, below a folder."""
    return (
        PolicyRule(f"{mount}/data/{below}*", _WRITE_AND_DELETE),
        PolicyRule(f"{mount}/delete/{below}*", ("update",)),
        PolicyRule(f"{mount}/undelete/{below}*", ("update",)),
    )


def environment_rules(tenant: Tenant, environment: Environment, *, pulls: bool = False) -> tuple[PolicyRule, ...]:
    """Return the rules for the workloads of one environment: they read their own secrets only.

    `pulls`: its cluster pulls its objects, so the pull secret of its images is delivered from Vault. Every pod of the
    environment has this credential in any case.
    """
    mount, folder = names_of(tenant).secrets_mount, environment_folder(environment.name)
    return (
        PolicyRule(f"{mount}/data/{folder}/*", _READ),
        PolicyRule(f"{mount}/metadata/{folder}/*", _LIST),
        *((PolicyRule(f"{mount}/data/{PULL_SECRET}", _READ),) if pulls else ()),
    )


def pipeline_rules(tenant: Tenant) -> tuple[PolicyRule, ...]:
    """Return the rules for jobs of protected branches and tags."""
    return (PolicyRule(f"{names_of(tenant).secrets_mount}/data/{CI_FOLDER}/*", _READ), *review_rules(tenant))


def pipeline_environment_rules(tenant: Tenant, environment: Environment) -> tuple[PolicyRule, ...]:
    """Return the rules for jobs that name an environment, beside those of `pipeline_rules`."""
    folder = f"{CI_ENVIRONMENTS_FOLDER}/{environment.name}"
    return (PolicyRule(f"{names_of(tenant).secrets_mount}/data/{folder}/*", _READ),)


def signing_rules(tenant: Tenant) -> tuple[PolicyRule, ...]:
    """Return the rules for the jobs that sign images: no export, no rotation, no other hash function."""
    return (PolicyRule(f"{SIGNING_MOUNT}/sign/{names_of(tenant).signing_key}/sha2-256", ("update",)),)


def verification_rules(tenant: Tenant) -> tuple[PolicyRule, ...]:
    """Return the rules for everyone who verifies the tenant's images: they read the public keys.

    Vault never returns a private key here.
    """
    return (PolicyRule(f"{SIGNING_MOUNT}/keys/{names_of(tenant).signing_key}", _READ),)


def operations_rules(tenant: Tenant) -> tuple[PolicyRule, ...]:
    """Return the rules for the platform's scheduled work: tokens and credentials of mirrors, log-in of the analysis."""
    mount = names_of(tenant).secrets_mount
    paths = {r.mirror.credentials for r in tenant.repositories if r.mirror and r.mirror.credentials}
    if tenant.quality.dast is not None and tenant.quality.dast.credentials:
        paths.add(tenant.quality.dast.credentials)
    return (
        PolicyRule(f"{mount}/data/{OPERATIONS_FOLDER}/*", _READ),
        *(PolicyRule(f"{mount}/data/{path}", _READ) for path in sorted(paths)),
    )


def zone_rules(cluster: Cluster) -> tuple[PolicyRule, ...]:
    """Return the rules for the Argo CD of a cluster that pulls.

    It reads the credentials of its zone's and its tenants' repositories, in the platform's mount.
    """
    return tuple(
        PolicyRule(f"{PLATFORM_MOUNT}/data/{folder}/*", _READ)
        for folder in (zone_folder(cluster.zone), pulled_folder(cluster))
    )


def review_rules(tenant: Tenant) -> tuple[PolicyRule, ...]:
    """Return the rules for all jobs of the tenant, including those of merge requests."""
    return (PolicyRule(f"{names_of(tenant).secrets_mount}/data/{REVIEW_FOLDER}/*", _READ),)
