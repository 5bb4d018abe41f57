"""Groups entries by tenant and system, for reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from usine.report import words
from usine.report.model import Action, Entry, Notice, Report, Severity, by_risk


@dataclass(frozen=True, slots=True)
class SystemGroup:
    """The entries of one tenant in one system, by risk."""

    system: str
    entries: tuple[Entry, ...]

    @property
    def counts(self) -> Counter[Action]:
        """Count the entries by action."""
        return Counter(entry.action for entry in self.entries)


@dataclass(frozen=True, slots=True)
class TenantGroup:
    """The entries of one tenant (None: the foundation), by system."""

    tenant: str | None
    systems: tuple[SystemGroup, ...]

    @property
    def name(self) -> str:
        """The name of the tenant for people."""
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
    """Group entries. The tenant with the largest risk comes first, and so does the system in it."""
    tenants: dict[str | None, dict[str, list[Entry]]] = {}
    for entry in by_risk(entries):
        tenants.setdefault(entry.tenant, {}).setdefault(entry.system, []).append(entry)
    return tuple(
        TenantGroup(tenant, tuple(SystemGroup(system, tuple(found)) for system, found in systems.items()))
        for tenant, systems in tenants.items()
    )


def by_weight(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """Sort notices for reading: those that refuse come first, waived ones last."""
    order = list(Severity)
    return tuple(sorted(notices, key=lambda n: (not n.refuses, bool(n.waived_by), order.index(n.severity))))


def at_risk(report: Report) -> tuple[tuple[str, tuple[Entry, ...]], ...]:
    """Return the entries to read first, as lists with titles: unauthorised access, data loss, failures."""
    entries = by_risk(report.entries)
    lists = (
        ("Unauthorised access", tuple(entry for entry in entries if entry.opens)),
        (words.loss_title(report.kind), tuple(entry for entry in entries if entry.loses_data)),
        ("Failed", tuple(entry for entry in entries if entry.action is Action.FAILED)),
    )
    return tuple((title, found) for title, found in lists if found)
