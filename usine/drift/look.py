"""One look at a stack: what changed, what is missing, what nobody manages, and where nobody could look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from model.settings import Settings
from model.tenant import Tenant
from usine.drift.causes import upgrades
from usine.drift.changed import compare
from usine.drift.findings import Finding, Means, Unseen
from usine.drift.inventory import Found, managed, take_inventory
from usine.drift.observe import observe
from usine.engine.cli import Engine
from usine.report.model import Action


@dataclass(frozen=True, slots=True)
class Look:
    """What a look gave. `objects` is how many objects of the state were looked at.

    `moved` says which providers have another version than the one the state was written with, `pending` how many
    operations of a killed run are unsettled.
    """

    findings: tuple[Finding, ...]
    unseen: tuple[Unseen, ...]
    objects: int
    moved: Mapping[str, str]
    pending: int = 0


def look(engine: Engine, settings: Settings, projects: Sequence[Tenant]) -> Look:
    """Look at everything the stack holds. Neither the state nor any system is written to.

    Paths of certificate authorities in `settings` start from the engine's folder. Raises EngineError when the engine
    cannot be asked at all.
    """
    checkpoint: Mapping[str, Any] = engine.export_state()
    deployment: Mapping[str, Any] = checkpoint.get("deployment") or {}
    resources: Sequence[Mapping[str, Any]] = deployment.get("resources") or ()
    with ThreadPoolExecutor(1) as beside:
        # The engine is busy reading, the inventory waiting: they don't disturb each other.
        listing = beside.submit(
            take_inventory,
            settings,
            projects,
            managed(checkpoint),
            root=engine.root,
            environment=engine.environment,
        )
        observed = observe(engine, resources)
        inventory = listing.result()
    findings = [*compare(observed.observations), *map(_unmanaged, inventory.found)]
    # What the system itself answers says more than what became of it in a plugin.
    unseen = {(part.tenant or "", part.system): part for part in observed.unseen}
    unseen |= {(gap.tenant or "", gap.system): Unseen(gap.tenant, gap.system, gap.reason) for gap in inventory.gaps}
    # Some plugins take an error for "not there": where nobody could look, nothing is missing.
    findings = [f for f in findings if f.kind is not Action.MISSING or (f.tenant or "", f.system) not in unseen]
    return Look(
        tuple(sorted(findings, key=lambda f: (f.tenant or "", f.system, f.name, f.type, f.path))),
        tuple(part for _, part in sorted(unseen.items())),
        len(observed.observations),
        upgrades(resources),
        len(deployment.get("pending_operations") or ()),
    )


def _unmanaged(found: Found) -> Finding:
    adoptable = found.import_id is not None and not found.holds_data
    return Finding(
        Action.UNMANAGED,
        found.tenant,
        found.system,
        found.type,
        found.name,
        import_id=found.import_id,
        provider=found.provider,
        holds_data=found.holds_data,
        detail=found.detail,
        means=Means.ADOPT if adoptable else Means.HAND,
        call=found.removal,
    )
