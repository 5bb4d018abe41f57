"""Protection: a resource that holds data cannot be destroyed until its tenant is archived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model.tenant import State
from policy.model import Policy, Resource
from pulumi_facts import tokens
from pulumi_facts.data_bearing import holds_data


def _protected(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """Find unprotected resources. Only the input `state` of a tenant's component tells that the tenant is archived."""
    archived = {r.name for r in resources if r.type == tokens.TENANT and r.at("state") == State.ARCHIVED.value}
    for resource in resources:
        if holds_data(resource.type, resource.name) and not resource.protect and resource.tenant not in archived:
            yield resource, "protect is not set"


POLICIES = (
    Policy(
        "data-protected",
        "A run cannot destroy a resource that holds data, unless its tenant is archived",
        "set protect=True; to destroy the data of a tenant, set state: archived in its file first",
        stack_check=_protected,
    ),
)
