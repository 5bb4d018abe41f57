"""The types of an inventory: managed objects, the scope of a stack, and the unmanaged objects that were found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from model.settings import FoundationMode, Settings
from model.tenant import Tenant
from pulumi_facts import urns
from pulumi_facts.checkpoint import resources_of
from pulumi_facts.data_bearing import holds_data
from pulumi_facts.urns import address_of


@dataclass(frozen=True, slots=True)
class Managed:
    """A resource of the state.

    `id` is as the provider plugin writes it, `provider` the logical name of its explicit provider (empty: none).
    Secrets in `inputs` and `outputs` are encrypted, as in the checkpoint.
    """

    urn: str
    type: str
    id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    provider: str = ""

    @property
    def tenant(self) -> str | None:
        """The tenant that it belongs to, None for the foundation."""
        return address_of(self.urn).tenant


def managed(checkpoint: Mapping[str, Any]) -> tuple[Managed, ...]:
    """Return the objects of an exported checkpoint (`Engine.export_state`), without components and providers."""
    return tuple(
        Managed(
            urn=str(resource["urn"]),
            type=str(resource["type"]),
            id=str(resource["id"]),
            inputs=resource.get("inputs") or {},
            outputs=resource.get("outputs") or {},
            provider=urns.provider_name(str(resource.get("provider", ""))),
        )
        for resource in resources_of(checkpoint)
        if resource.get("id") and address_of(resource["urn"]).is_object
    )


@dataclass(frozen=True, slots=True)
class Found:
    """An object of a system that is in no state.

    `system` is a value of `model.settings.System`, `tenant` None for what belongs to no tenant. `type` is the
    Pulumi type token it would have, `import_id` what `pulumi import` takes for it; None where no plugin of the platform
    has the type, or where importing would take more than this object. `provider` is the logical name of the provider
    that reaches it. `name` is what its system calls it, as ``<place>: <name>``, the same in every scan. `detail` is one
    line for people: which access it gives, and to whom. `removal` is the API call that removes it.
    """

    system: str
    tenant: str | None
    type: str
    name: str
    provider: str
    import_id: str | None = None
    detail: str = ""
    removal: str = ""

    @property
    def holds_data(self) -> bool:
        """Return whether its removal loses data."""
        return holds_data(self.type)


@dataclass(frozen=True, slots=True)
class ScanGap:
    """A tenant (None: the foundation) whose scan of a system has a gap, and the reason in one line."""

    system: str
    tenant: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """The objects that are in no state, and the gaps of the scan; both sorted."""

    found: tuple[Found, ...]
    gaps: tuple[ScanGap, ...]


@dataclass(frozen=True, slots=True)
class InventoryScan:
    """One piece of a scan, independent of the others. If `run` raises ClientError, the scan of `tenants` has a gap."""

    tenants: tuple[str | None, ...]
    run: Callable[[], Iterable[Found]]


class SystemInventory(Protocol):
    """One system that can list its objects."""

    def scans(self) -> Iterable[InventoryScan]:
        """Return all pieces of the scan. Sends no request yet."""


class InventoryScope:
    """The tenants of a stack, its managed objects, and the owner of an object by its name."""

    def __init__(self, settings: Settings, tenants: Iterable[Tenant], resources: Iterable[Managed]) -> None:
        """Take all tenants of the platform, and all objects of the stack's state.

        A tenant without a file, but with objects in the state, belongs to the stack as well.
        """
        self.settings = settings
        listed = tuple(resources)
        # No inventory lists the objects of a cluster that pulls. One of the same name elsewhere is another object.
        pulled = {f"kubernetes-{name}" for name, cluster in settings.clusters.items() if cluster.pull is not None}
        self.resources = tuple(resource for resource in listed if resource.provider not in pulled)
        self.declared = {tenant.slug: tenant for tenant in tenants}
        in_state = {tenant for resource in listed if (tenant := resource.tenant) is not None}
        self.slugs = frozenset(self.declared) | in_state
        self.tenants = frozenset(slug for slug in self.declared if settings.selected(slug)) | in_state
        self.foundation = settings.foundation is not FoundationMode.SKIP

    @property
    def everyone(self) -> tuple[str | None, ...]:
        """The foundation (None), if the stack has it, and the tenants of the stack."""
        return (*((None,) if self.foundation else ()), *sorted(self.tenants))

    def includes(self, tenant: str | None) -> bool:
        """Return whether the stack has this tenant (None: the foundation)."""
        return self.foundation if tenant is None else tenant in self.tenants

    def of(self, type_: str, tenant: str | None = None) -> tuple[Managed, ...]:
        """Return the managed objects of a type, of one tenant or of the foundation."""
        return tuple(r for r in self._by_type.get(type_, ()) if r.tenant == tenant)

    def every(self, type_: str) -> tuple[Managed, ...]:
        """Return all managed objects of a type."""
        return self._by_type.get(type_, ())

    def knows(self, type_: str, id_: str, provider: str | None = None) -> bool:
        """Return whether the state has an object of this type with this id of the plugin.

        With `provider`, only one that this provider reaches: two clusters may have objects with the same id.
        """
        return (type_, id_) in self._ids if provider is None else (type_, id_, provider) in self._ids_by_provider

    def owner(self, name: str, separators: str) -> str | None:
        """Return the tenant whose slug is the name, or the name up to one of the separators; None if there is none.

        With a dash among the separators, the longest slug counts: `a-b-dev` belongs to `a-b`, if that exists.
        """
        ends = [position for position, character in enumerate(name) if character in separators]
        return next((name[:end] for end in (len(name), *reversed(ends)) if name[:end] in self.slugs), None)

    @cached_property
    def _by_type(self) -> Mapping[str, tuple[Managed, ...]]:
        grouped: dict[str, list[Managed]] = {}
        for resource in self.resources:
            grouped.setdefault(resource.type, []).append(resource)
        return {type_: tuple(of_type) for type_, of_type in grouped.items()}

    @cached_property
    def _ids(self) -> frozenset[tuple[str, str]]:
        # A rotated access token of GitLab has a new id. The plugin reports it in the outputs, but the engine keeps the
        # first id until the next refresh (issue 11.B6).
        ids = {(resource.type, resource.id) for resource in self.resources}
        return frozenset(
            ids | {(r.type, r.outputs["id"]) for r in self.resources if isinstance(r.outputs.get("id"), str)}
        )

    @cached_property
    def _ids_by_provider(self) -> frozenset[tuple[str, str, str]]:
        return frozenset((resource.type, resource.id, resource.provider) for resource in self.resources)
