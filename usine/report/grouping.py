"""Groups entries by tenant and system, for reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

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
    """The entries of one tenant (None: the foundation), by system.

    `others` are the tenants for which the same happens, apart from their own names.
    """

    tenant: str | None
    systems: tuple[SystemGroup, ...]
    others: tuple[str, ...] = ()

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

    @property
    def numbers(self) -> Counter[Action]:
        """Count the entries by action, with those of the other tenants."""
        return Counter({action: number * (1 + len(self.others)) for action, number in self.counts.items()})


def by_effect(report: Report) -> tuple[TenantGroup, ...]:
    """Group the entries of a report; tenants for which the same happens are one group, with one of them as example."""
    others = {slug: effect for effect in report.effects for slug in effect}
    shown: dict[tuple[str, ...], None] = {}
    found = []
    there = {entry.tenant for entry in report.entries}
    for group in by_tenant(report.entries):
        effect = others.get(group.tenant or "", ())
        if not effect:
            found.append(group)
        elif effect not in shown:
            shown[effect] = None
            rest = tuple(slug for slug in effect if slug != group.tenant and slug in there)
            found.append(replace(group, others=rest))
    return tuple(found)


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
