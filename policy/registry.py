"""Every policy of the pack, and running them over resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from policy import access, exposure, lifetimes, namespaces, protection, secrecy, vault
from policy.model import Level, Policy, Resource, Violation

POLICIES: tuple[Policy, ...] = (
    *exposure.POLICIES,
    *secrecy.POLICIES,
    *lifetimes.POLICIES,
    *vault.POLICIES,
    *namespaces.POLICIES,
    *access.POLICIES,
    *protection.POLICIES,
)
BY_ID: Mapping[str, Policy] = {policy.id: policy for policy in POLICIES}


@dataclass(frozen=True, slots=True)
class Setting:
    """What a platform sets for one policy; None leaves what the policy says itself."""

    level: Level | None = None
    limit: int | None = None


def violations(resources: Sequence[Resource], settings: Mapping[str, Setting] | None = None) -> Iterator[Violation]:
    """Run every policy that is not disabled, in the order of `POLICIES`. `settings` are by policy id."""
    for policy in POLICIES:
        setting = (settings or {}).get(policy.id, Setting())
        level = setting.level or policy.level
        if level is Level.DISABLED:
            continue
        found = policy.stack_check(resources) if policy.stack_check else _each(policy, setting, resources)
        for resource, text in found:
            yield Violation(policy, level, resource, text)


def _each(policy: Policy, setting: Setting, resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    check = policy.check_for(setting.limit)
    if check is None:
        raise ValueError(f"the policy {policy.id} checks nothing")
    for resource in resources:
        for text in check(resource):
            yield resource, text
