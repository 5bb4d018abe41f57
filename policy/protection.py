"""What holds data is protected from destruction, until its tenant is archived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policy.model import TENANT, Policy, Resource
from usine.data_bearing import holds_data
from usine.naming import OPERATIONS_PROJECT
from usine.spec.model import State


def _protected(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """A tenant's component says the state of its tenant: that is how an archived one is known, and no other way."""
    archived = {r.name for r in resources if r.type == TENANT and r.at("state") == State.ARCHIVED.value}
    for resource in resources:
        if holds_data(resource.type) and not resource.protect and not _may_go(resource, archived):
            yield resource, "protect is not set"


def _may_go(resource: Resource, archived: set[str]) -> bool:
    # The project of the platform's scheduled jobs holds nothing that the tenant files could not make anew.
    return resource.tenant in archived or (
        resource.type == "gitlab:index/project:Project" and resource.at("path") == OPERATIONS_PROJECT
    )


POLICIES = (
    Policy(
        "data-protected",
        "What holds data cannot be destroyed by a run, unless its tenant is archived",
        "set protect=True; to destroy a tenant's data, set state: archived in its file first",
        stack_check=_protected,
    ),
)
