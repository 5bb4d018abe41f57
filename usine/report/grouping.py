"""Entries by tenant and system, which is how people read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from usine.report import words
from usine.report.model import Action, Entry, Notice, Report, Severity, by_risk


@dataclass(frozen=True, slots=True)
class SystemGroup:
    """What happens in one system for one tenant, by risk."""

    system: str
    entries: tuple[Entry, ...]

    @property
    def counts(self) -> Counter[Action]:
        """Count the entries by action."""
        return Counter(entry.action for entry in self.entries)


@dataclass(frozen=True, slots=True)
class TenantGroup:
    """What happens to one tenant (None: what all share), by system."""

    tenant: str | None
    systems: tuple[SystemGroup, ...]

    @property
    def name(self) -> str:
        """Name the tenant as people read it."""
        return words.tenant_name(self.tenant)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every entry, system by system."""
        return tuple(entry for group in self.systems for entry in group.entries)

    @property
    def counts(self) -> Counter[Action]:
        """Count the entries by action."""
        return Counter(entry.action for entry in self.entries)


def by_tenant(entries: Iterable[Entry]) -> tuple[TenantGroup, ...]:
    """Group entries; the tenant, and in it the system, with the largest risk comes first."""
    tenants: dict[str | None, dict[str, list[Entry]]] = {}
    for entry in by_risk(entries):
        tenants.setdefault(entry.tenant, {}).setdefault(entry.system, []).append(entry)
    return tuple(
        TenantGroup(tenant, tuple(SystemGroup(system, tuple(found)) for system, found in systems.items()))
        for tenant, systems in tenants.items()
    )


def by_weight(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """Sort notices for reading: what refuses first, what is waived last."""
    order = list(Severity)
    return tuple(sorted(notices, key=lambda n: (not n.refuses, bool(n.waived_by), order.index(n.severity))))


def at_risk(report: Report) -> tuple[tuple[str, tuple[Entry, ...]], ...]:
    """Return what must be read first, each list with its title: what opens a way in, what loses data, what failed."""
    entries = by_risk(report.entries)
    lists = (
        ("A way in is open", tuple(entry for entry in entries if entry.opens)),
        (words.loss_title(report.kind), tuple(entry for entry in entries if entry.loses_data)),
        ("Failed", tuple(entry for entry in entries if entry.action is Action.FAILED)),
    )
    return tuple((title, found) for title, found in lists if found)
