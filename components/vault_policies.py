"""Vault policies of a tenant, as plain values and as HCL text. No Pulumi here.

Layout of a tenant's KV version 2 mount:

- ``env/<environment>/...``  what the workloads of that environment read
- ``ci/...``                 what pipelines of protected branches and tags read
- ``operations/...``         what the platform's scheduled work reads, and no pipeline of the tenant
- ``review/...``             what every pipeline reads, also one that a merge request started
- anything else              the team's own (mirror credentials, for instance); no machine reads it unasked
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from usine.access import secrets
from usine.naming import CI_FOLDER, OPERATIONS_FOLDER, REVIEW_FOLDER, names_of
from usine.spec.model import Environment, Project, Right

_READ = ("read",)
_LIST = ("list", "read")
_WRITE = ("create", "read", "update", "patch")
_WRITE_AND_DELETE = (*_WRITE, "delete", "list")


@dataclass(frozen=True, slots=True)
class Rule:
    """One path of a policy (below ``sys/policies/acl`` syntax, globs allowed) and its capabilities."""

    path: str
    capabilities: tuple[str, ...]


def to_hcl(rules: Iterable[Rule]) -> str:
    """Render rules as the HCL that Vault stores verbatim. Deterministic: same rules, same bytes."""
    return "\n".join(f'path "{r.path}" {{\n  capabilities = {json.dumps(r.capabilities)}\n}}' for r in rules)


def role_rules(project: Project, rights: Collection[Right]) -> tuple[Rule, ...]:
    """Return what rights allow in the tenant's mount."""
    mount = names_of(project).secrets_mount
    names_only = (Rule(f"{mount}/metadata/*", _LIST),)
    if Right.VAULT_DESTROY in rights:
        return (
            *_undoable(mount, ""),
            Rule(f"{mount}/metadata/*", _WRITE_AND_DELETE),  # deleting metadata destroys every version
            Rule(f"{mount}/destroy/*", ("update",)),
        )
    if Right.VAULT_SECRETS in rights:
        return (*_undoable(mount, ""), Rule(f"{mount}/metadata/*", (*_WRITE, "list")))
    if Right.VAULT_NAMES not in rights:
        return ()
    writable = [environment.name for environment in project.environments if secrets(environment) in rights]
    return (*names_only, *(rule for name in writable for rule in _undoable(mount, f"env/{name}/")))


def _undoable(mount: str, below: str) -> tuple[Rule, ...]:
    """Return everything that can be undone, below a folder."""
    return (
        Rule(f"{mount}/data/{below}*", _WRITE_AND_DELETE),
        Rule(f"{mount}/delete/{below}*", ("update",)),
        Rule(f"{mount}/undelete/{below}*", ("update",)),
    )


def environment_rules(project: Project, environment: Environment) -> tuple[Rule, ...]:
    """Return what the workloads of one environment read: their own secrets and nothing else."""
    mount = names_of(project).secrets_mount
    return (
        Rule(f"{mount}/data/env/{environment.name}/*", _READ),
        Rule(f"{mount}/metadata/env/{environment.name}/*", _LIST),
    )


def pipeline_rules(project: Project) -> tuple[Rule, ...]:
    """Return what jobs of protected branches and tags read."""
    return (Rule(f"{names_of(project).secrets_mount}/data/{CI_FOLDER}/*", _READ), *review_rules(project))


def operations_rules(project: Project) -> tuple[Rule, ...]:
    """Return what the platform's scheduled work reads: the mirrors' tokens, and the credentials of their sources."""
    mount = names_of(project).secrets_mount
    sources = sorted({r.mirror.credentials for r in project.repositories if r.mirror and r.mirror.credentials})
    return (
        Rule(f"{mount}/data/{OPERATIONS_FOLDER}/*", _READ),
        *(Rule(f"{mount}/data/{path}", _READ) for path in sources),
    )


def review_rules(project: Project) -> tuple[Rule, ...]:
    """Return what any job of the tenant reads, whoever started it."""
    return (Rule(f"{names_of(project).secrets_mount}/data/{REVIEW_FOLDER}/*", _READ),)
