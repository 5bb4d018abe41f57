"""Makes changes as plain values: a base, a head and their difference."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from model.settings import ChangeSettings, MassRemoval, Settings
from model.tenant import Tenant
from tests import factories
from usine.report.model import Action, Entry, Notice
from usine.rules import Change, check
from usine.rules.mass_removal import TENANT

TODAY = datetime.date(2027, 3, 1)
PLATFORM = "agnes.platel"
OWNER = "alice.martin"
SETTINGS = factories.settings(changes=ChangeSettings(frozenset({PLATFORM, "yves.outil"}), "@platform", MassRemoval()))


def plain(slug: str = "teleservice", **changes: Any) -> Tenant:
    """Return a tenant that shares no address with another."""
    environments = tuple(
        factories.environment(name, url=f"https://{name}.{slug}.example.gouv.fr") for name in ("dev", "prod")
    )
    return factories.tenant(slug, **{"environments": environments, "contact": f"{slug}@example.gouv.fr", **changes})


def change(
    base: Iterable[Tenant] | None,
    head: Iterable[Tenant],
    *,
    author: str | None = OWNER,
    settings: Settings = SETTINGS,
    files: Iterable[str] = (),
    **more: Any,
) -> Change:
    """Return a change. The files of changed tenants are added automatically."""
    before = None if base is None else {tenant.slug: tenant for tenant in base}
    after = {tenant.slug: tenant for tenant in head}
    differing = {
        f"projects.d/{slug}.yaml" for slug in {*(before or {}), *after} if (before or {}).get(slug) != after.get(slug)
    }
    values: dict[str, Any] = {"entries": (), "existing": {}, "today": TODAY, "base_settings": settings, **more}
    return Change(
        settings=settings, base=before, head=after, files=frozenset({*differing, *files}), author=author, **values
    )


def edit(base: Tenant, author: str | None = OWNER, more: Mapping[str, Any] | None = None, **changes: Any) -> Change:
    """Return a change of one tenant's fields."""
    return change([base], [dataclasses.replace(base, **changes)], author=author, **(more or {}))


def found(of: Change, rule: str) -> list[Notice]:
    """Return the notices of one rule on a change."""
    return [notice for notice in check(of) if notice.rule == rule]


def rules_of(of: Change) -> set[str]:
    """Return the ids of the rules with notices."""
    return {notice.rule for notice in check(of)}


def entry(
    action: Action, tenant: str | None, name: str = "", type_: str = "vault:index/mount:Mount", **more: Any
) -> Entry:
    """Return an entry of the semantic difference; by default of a mount, which holds data."""
    values: dict[str, Any] = {"holds_data": True, **more}
    return Entry(action, tenant, "vault", type_, name or f"{tenant}/vault/secrets", **values)


__all__ = ["OWNER", "PLATFORM", "SETTINGS", "TENANT", "TODAY", "change", "edit", "entry", "found", "plain", "rules_of"]
