"""A plan read back from its JSON, also from JSON that an older program wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from pulumi_facts import urns
from usine.plan.model import Plan, PlannedResource

_PLAN = TypeAdapter(Plan)


def load_plan(text: str | bytes) -> Plan:
    """Return the plan that `Plan.dumps` rendered. Raises ValueError for anything else.

    A field that the plan of an older program does not have gets its default; types are joined from the parents.
    """
    try:
        plan = _PLAN.validate_json(text)
    except ValidationError as error:
        raise ValueError(f"not a plan: {error.error_count()} errors") from None
    by_label = {resource.label: resource for resource in plan.resources}
    return Plan(
        tuple(
            resource if resource.qualified_type else replace(resource, qualified_type=_chain(resource, by_label))
            for resource in plan.resources
        )
    )


def _chain(resource: PlannedResource, by_label: Mapping[str, PlannedResource]) -> str:
    types, seen = [resource.type], {resource.label}
    while resource.parent is not None and (parent := by_label.get(resource.parent)) is not None:
        if parent.label in seen:
            raise ValueError("not a plan: a resource is its own parent")
        seen.add(parent.label)
        types.insert(0, parent.type)
        resource = parent
    return urns.chain(types)
