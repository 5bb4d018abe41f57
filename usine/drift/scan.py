"""A drift scan of a stack: changed, missing and unmanaged objects, and the parts that could not be scanned."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from model.settings import Settings
from model.tenant import Tenant
from pulumi_facts.checkpoint import pending_of, resources_of
from usine.clients import Connections
from usine.clients.connections import below
from usine.drift.causes import upgrades
from usine.drift.changed import compare
from usine.drift.findings import DriftFinding, Means, Unseen
from usine.drift.inventory import Found, managed, take_inventory
from usine.drift.observe import observe
from usine.drift.zones import scan_zones
from usine.engine.cli import Engine
from usine.engine.stored import stored_credentials
from usine.report.model import Action, Notice, StoredCredential


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of a scan. `objects` is the number of scanned objects of the state.

    `moved` has the providers whose version differs from the one that wrote the state. `pending` is the number of
    unfinished operations of an interrupted run. `credentials` are those that the state stores. `notices` tell the state
    of each cluster that pulls.
    """

    findings: tuple[DriftFinding, ...]
    unseen: tuple[Unseen, ...]
    objects: int
    moved: Mapping[str, str]
    pending: int = 0
    credentials: tuple[StoredCredential, ...] = ()
    notices: tuple[Notice, ...] = ()


def scan_stack(engine: Engine, settings: Settings, projects: Sequence[Tenant]) -> Scan:
    """Scan everything the stack holds. Neither the state nor any system is written to.

    Paths of certificate authorities in `settings` are relative to the engine's folder. Raises EngineError if the engine
    fails as a whole.
    """
    checkpoint: Mapping[str, Any] = engine.export_state()
    resources = resources_of(checkpoint)
    with ThreadPoolExecutor(1) as beside:
        # The engine computes and the inventory waits for answers, so that they can run at the same time.
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
    # The reason that the system gives is clearer than the plugin's error.
    unseen = {(part.tenant or "", part.system): part for part in observed.unseen}
    unseen |= {(gap.tenant or "", gap.system): Unseen(gap.tenant, gap.system, gap.reason) for gap in inventory.gaps}
    zones = scan_zones(
        settings,
        (tenant.slug for tenant in projects),
        checkpoint,
        Connections(below(engine.root, settings.endpoints), engine.environment),
        datetime.datetime.now(datetime.UTC),
    )
    # Some plugins treat an error as "not found": in a part that could not be scanned, no object is missing.
    findings = [f for f in findings if f.kind is not Action.MISSING or (f.tenant or "", f.system) not in unseen]
    findings += zones.findings
    unseen |= {(part.tenant or "", part.system): part for part in zones.unseen}
    return Scan(
        tuple(sorted(findings, key=lambda f: (f.tenant or "", f.system, f.name, f.type, f.path))),
        tuple(part for _, part in sorted(unseen.items())),
        len(observed.observations),
        upgrades(resources),
        len(pending_of(checkpoint)),
        stored_credentials(checkpoint),
        zones.notices,
    )


def _unmanaged(found: Found) -> DriftFinding:
    adoptable = found.import_id is not None and not found.holds_data
    return DriftFinding(
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
