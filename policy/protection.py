"""What holds data is protected from destruction, until its tenant is archived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model.tenant import State
from policy.model import TENANT, Policy, Resource
from usine.data_bearing import holds_data


def _protected(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """A tenant's component says the state of its tenant: that is how an archived one is known, and no other way."""
    archived = {r.name for r in resources if r.type == TENANT and r.at("state") == State.ARCHIVED.value}
    for resource in resources:
        if holds_data(resource.type, resource.name) and not resource.protect and resource.tenant not in archived:
            yield resource, "protect is not set"


POLICIES = (
    Policy(
        "data-protected",
        "What holds data cannot be destroyed by a run, unless its tenant is archived",
        "set protect=True; to destroy a tenant's data, set state: archived in its file first",
        stack_check=_protected,
    ),
)
