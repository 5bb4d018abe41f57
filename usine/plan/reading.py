"""A plan read back from its JSON, also from one that an older program wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from usine.plan.model import Options, Plan, PlannedResource


class _OptionsDocument(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, strict=True)

    provider: str | None = None
    ignore_changes: list[str] = []
    replace_on_changes: list[str] = []
    delete_before_replace: bool = False
    retain_on_delete: bool = False
    deleted_with: str | None = None
    aliases: list[str] = []
    replacement_trigger: str | None = None


class _ResourceDocument(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, strict=True)

    type: str
    name: str
    parent: str | None
    tenant: str | None
    system: str
    protect: bool
    inputs: dict[str, Any]
    qualified_type: str = ""
    sources: dict[str, list[str]] = {}
    fingerprints: dict[str, str] = {}
    options: _OptionsDocument = Field(default_factory=_OptionsDocument)


class _PlanDocument(BaseModel):
    resources: list[_ResourceDocument]


_PLAN: TypeAdapter[_PlanDocument] = TypeAdapter(_PlanDocument)


def load_plan(text: str | bytes) -> Plan:
    """Return the plan that `Plan.dumps` rendered. Raises ValueError for anything else.

    What plans of older programs do not say is as if at its default; a type chain is put together from the parents.
    """
    try:
        document = _PLAN.validate_json(text)
    except ValidationError as error:
        raise ValueError(f"not a plan: {error.error_count()} errors") from None
    by_key = {f"{resource.type}::{resource.name}": resource for resource in document.resources}
    return Plan(tuple(_resource(resource, by_key) for resource in document.resources))


def _resource(resource: _ResourceDocument, by_key: Mapping[str, _ResourceDocument]) -> PlannedResource:
    options = resource.options
    return PlannedResource(
        type=resource.type,
        name=resource.name,
        parent=resource.parent,
        tenant=resource.tenant,
        system=resource.system,
        inputs=resource.inputs,
        protect=resource.protect,
        qualified_type=resource.qualified_type or _chain(resource, by_key),
        sources={key: tuple(value) for key, value in resource.sources.items()},
        fingerprints=resource.fingerprints,
        options=Options(
            provider=options.provider,
            ignore_changes=tuple(options.ignore_changes),
            replace_on_changes=tuple(options.replace_on_changes),
            delete_before_replace=options.delete_before_replace,
            retain_on_delete=options.retain_on_delete,
            deleted_with=options.deleted_with,
            aliases=tuple(options.aliases),
            replacement_trigger=options.replacement_trigger,
        ),
    )


def _chain(resource: _ResourceDocument, by_key: Mapping[str, _ResourceDocument]) -> str:
    types, seen = [resource.type], {id(resource)}
    while resource.parent is not None and (parent := by_key.get(resource.parent)) is not None:
        if id(parent) in seen:
            raise ValueError("not a plan: a resource is its own parent")
        seen.add(id(parent))
        types.insert(0, parent.type)
        resource = parent
    return "$".join(types)
