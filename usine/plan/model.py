"""What a plan is: the full graph of resources as plain values, in an order of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from usine.spec.settings import System

#: What stands for a secret value in a plan.
SECRET = "[secret]"  # noqa: S105 - the mask itself


@dataclass(frozen=True, slots=True)
class PlannedResource:
    """One resource of the plan.

    `type` is the Pulumi type token, `name` the logical name, `parent` the parent as ``<type>::<name>`` (None below the
    stack). `tenant` is the slug, None for the foundation. `system` is one of `usine.spec.settings.System`, or
    ``usine`` for the components that compose several. `inputs` are JSON values; secrets are masked, and what only the
    server knows stands as ``[id of <name>]`` and the like. `protect` is Pulumi's protect option.
    """

    type: str
    name: str
    parent: str | None
    tenant: str | None
    system: str
    inputs: Mapping[str, object]
    protect: bool

    def to_json(self) -> dict[str, object]:
        """Return the resource as JSON values."""
        return {
            "type": self.type,
            "name": self.name,
            "parent": self.parent,
            "tenant": self.tenant,
            "system": self.system,
            "protect": self.protect,
            "inputs": dict(self.inputs),
        }

    @property
    def is_component(self) -> bool:
        """Say whether this only groups others, and exists in no system."""
        return self.type.startswith("usine:")

    @property
    def is_provider(self) -> bool:
        """Say whether this is a provider's configuration."""
        return self.type.startswith("pulumi:providers:")


@dataclass(frozen=True, slots=True)
class Plan:
    """The resources, foundation first, then by tenant, type and name."""

    resources: tuple[PlannedResource, ...]

    def dumps(self) -> str:
        """Render as JSON: the same bytes for the same settings and tenants, whatever the order of files."""
        document = {"resources": [resource.to_json() for resource in self.resources]}
        return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def counts(self) -> dict[str | None, dict[str, int]]:
        """Count the objects that will exist, by tenant (None: the foundation) and system."""
        counts: dict[str | None, dict[str, int]] = {}
        for resource in self.resources:
            if not (resource.is_component or resource.is_provider):
                row = counts.setdefault(resource.tenant, {})
                row[resource.system] = row.get(resource.system, 0) + 1
        return counts

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems that get anything, in the order of `System`."""
        present = {r.system for r in self.resources if not (r.is_component or r.is_provider)}
        return tuple(system.value for system in System if system.value in present)
