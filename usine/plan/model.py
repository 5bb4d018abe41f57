"""A plan: all resources that the program registers, as plain values in a fixed order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import ConfigDict, TypeAdapter, with_config
from pydantic.alias_generators import to_camel

from model.settings import System
from pulumi_facts import tokens, urns

#: A text that stands for a value from the server.
UNKNOWN = re.compile(r"\[(id|path|number|accessor|user name|full name) of [^]]+\]")


#: The keys of the JSON are in camel case, as Pulumi's are.
_JSON = ConfigDict(alias_generator=to_camel, strict=True)


@with_config(_JSON)
@dataclass(frozen=True, slots=True)
class Options:
    """The resource options that decide how a change is applied. Paths are as Pulumi writes them.

    `provider` is the logical name of the explicit provider. `deleted_with` is the ``<type>::<name>`` of the resource
    whose deletion also deletes this one. `aliases` are former identities, in the form of `PlannedResource.key`. A
    different `replacement_trigger` replaces the object, and then changes of ignored inputs are applied too.
    """

    provider: str | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    delete_before_replace: bool = False
    retain_on_delete: bool = False
    deleted_with: str | None = None
    aliases: tuple[str, ...] = ()
    replacement_trigger: str | None = None


@with_config(_JSON)
@dataclass(frozen=True, slots=True)
class PlannedResource:
    """One resource of the plan.

    `type` is the Pulumi type token, `name` the logical name, `parent` the parent as ``<type>::<name>`` (None below the
    stack). `tenant` is the slug, None for the foundation. `system` is one of `model.settings.System`, or
    ``usine`` for components that combine several. `inputs` are JSON values: secrets are masked, and a value from the
    server is a text such as ``[id of <name>]``. `protect` is Pulumi's protect option. `qualified_type` is the type
    after those of its parents, joined by ``$``, as in a URN. `sources` has, for each input with a secret or a value
    from the server, the objects that it comes from (``<type>::<name>``, sorted). `fingerprints` has 16 bits of a hash
    for each input with a secret: enough to see a change, too few to guess the secret.
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
        """Return the resource as JSON values; of its options, those that are not at their default."""
        options = _OPTIONS.dump_python(self.options, by_alias=True, exclude_defaults=True)
        values: dict[str, object] = _RESOURCE.dump_python(self, by_alias=True)
        return values | {"options": options}

    @property
    def label(self) -> str:
        """The name by which other resources refer to it."""
        return urns.identity([self.type], self.name)

    @property
    def key(self) -> str:
        """The identity: the URN without stack and project."""
        return urns.identity([self.qualified_type or self.type], self.name)

    @property
    def is_component(self) -> bool:
        """Return whether this only groups other resources and exists in no system."""
        return tokens.is_component(self.type)

    @property
    def is_provider(self) -> bool:
        """Return whether this is a provider resource."""
        return tokens.is_provider(self.type)


_OPTIONS = TypeAdapter(Options)
_RESOURCE = TypeAdapter(PlannedResource)


@dataclass(frozen=True, slots=True)
class Plan:
    """The resources, foundation first, then by tenant, type and name."""

    resources: tuple[PlannedResource, ...]

    @classmethod
    def of(cls, resources: Iterable[PlannedResource]) -> Plan:
        """Return the plan of resources in any order."""
        return cls(tuple(sorted(resources, key=lambda r: (r.tenant or "", r.type, r.name))))

    def dumps(self) -> str:
        """Render as JSON: the same bytes for the same settings and tenants in any order."""
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
        """The systems with objects, in the order of `System`."""
        present = {r.system for r in self.resources if not (r.is_component or r.is_provider)}
        return tuple(system.value for system in System if system.value in present)
