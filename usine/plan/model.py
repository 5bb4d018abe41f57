"""What a plan is: the full graph of resources as plain values, in an order of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from model.settings import System

#: What stands for a secret value in a plan.
SECRET = "[secret]"  # noqa: S105 - the mask itself
#: What stands for a value that only a server knows.
UNKNOWN = re.compile(r"\[(id|path|number|accessor|user name|full name) of [^]]+\]")


@dataclass(frozen=True, slots=True)
class Options:
    """The resource options that decide what becomes of a change. Paths are as Pulumi writes them.

    `provider` is the logical name of the explicit provider. `deleted_with` is the ``<type>::<name>`` of what takes this
    along when it is deleted. `aliases` are the former identities, as `PlannedResource.key` writes them. Another
    `replacement_trigger` replaces the object, with what is otherwise ignored as it is now.
    """

    provider: str | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    delete_before_replace: bool = False
    retain_on_delete: bool = False
    deleted_with: str | None = None
    aliases: tuple[str, ...] = ()
    replacement_trigger: str | None = None

    def to_json(self) -> dict[str, object]:
        """Return what is not at its default, as JSON values."""
        values: dict[str, object] = {
            "provider": self.provider,
            "ignoreChanges": list(self.ignore_changes),
            "replaceOnChanges": list(self.replace_on_changes),
            "deleteBeforeReplace": self.delete_before_replace,
            "retainOnDelete": self.retain_on_delete,
            "deletedWith": self.deleted_with,
            "aliases": list(self.aliases),
            "replacementTrigger": self.replacement_trigger,
        }
        return {key: value for key, value in values.items() if value}


@dataclass(frozen=True, slots=True)
class PlannedResource:
    """One resource of the plan.

    `type` is the Pulumi type token, `name` the logical name, `parent` the parent as ``<type>::<name>`` (None below the
    stack). `tenant` is the slug, None for the foundation. `system` is one of `model.settings.System`, or
    ``usine`` for the components that compose several. `inputs` are JSON values; secrets are masked, and what only the
    server knows stands as ``[id of <name>]`` and the like. `protect` is Pulumi's protect option. `qualified_type` is
    the type with those of its parents before it, joined by ``$``, as in a URN. `sources` says of each input that holds
    a secret, or what only the server knows, which objects it comes from (``<type>::<name>``, sorted). `fingerprints`
    are 16 bits of each input that holds a secret: they tell that it is another, and are too few to guess it by.
    """

    type: str
    name: str
    parent: str | None
    tenant: str | None
    system: str
    inputs: Mapping[str, object]
    protect: bool
    qualified_type: str = ""
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    options: Options = Options()

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
            "qualifiedType": self.qualified_type,
            "sources": {key: list(value) for key, value in self.sources.items()},
            "fingerprints": dict(self.fingerprints),
            "options": self.options.to_json(),
        }

    @property
    def label(self) -> str:
        """How others refer to it."""
        return f"{self.type}::{self.name}"

    @property
    def key(self) -> str:
        """The identity: what the URN holds besides stack and project."""
        return f"{self.qualified_type or self.type}::{self.name}"

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

    @classmethod
    def of(cls, resources: Iterable[PlannedResource]) -> Plan:
        """Make a plan of resources in any order."""
        return cls(tuple(sorted(resources, key=lambda r: (r.tenant or "", r.type, r.name))))

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
