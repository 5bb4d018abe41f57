"""The policies of the pack, and a function that runs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from policy import access, backups, exposure, grafana, lifetimes, monitoring, namespaces, protection, secrecy, vault
from policy.model import Level, Policy, PolicyViolation, Resource

POLICIES: tuple[Policy, ...] = (
    *exposure.POLICIES,
    *secrecy.POLICIES,
    *lifetimes.POLICIES,
    *vault.POLICIES,
    *namespaces.POLICIES,
    *access.POLICIES,
    *monitoring.POLICIES,
    *backups.POLICIES,
    *grafana.POLICIES,
    *protection.POLICIES,
)
BY_ID: Mapping[str, Policy] = {policy.id: policy for policy in POLICIES}


@dataclass(frozen=True, slots=True)
class Setting:
    """The platform's settings for one policy; None leaves the policy's default."""

    level: Level | None = None
    limit: int | None = None


def violations(
    resources: Sequence[Resource], settings: Mapping[str, Setting] | None = None
) -> Iterator[PolicyViolation]:
    """Yield the violations of every policy that is not disabled, in the order of `POLICIES`."""
    for policy in POLICIES:
        setting = (settings or {}).get(policy.id, Setting())
        level = setting.level or policy.level
        if level is Level.DISABLED:
            continue
        found = policy.stack_check(resources) if policy.stack_check else _each(policy, setting, resources)
        for resource, text in found:
            yield PolicyViolation(policy, level, resource, text)


def _each(policy: Policy, setting: Setting, resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    check = policy.check_for(setting.limit)
    if check is None:
        raise ValueError(f"the policy {policy.id} checks nothing")
    for resource in resources:
        for text in check(resource):
            yield resource, text
