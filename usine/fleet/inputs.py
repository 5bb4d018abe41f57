"""The digests of what each stack of a fleet depends on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from model.settings import Settings
from model.tenant import Tenant
from model.units import is_shard
from usine.engine.sources import digest_of_file, program_digest
from usine.fleet.layout import TENANTS, Layout
from usine.fleet.records import Inputs, RunRecord, digest_of


def read_inputs(
    root: Path, layout: Layout, settings: Settings, tenants: Iterable[Tenant], foundation: RunRecord | None
) -> dict[str | None, Inputs]:
    """Return the digests of the foundation (None) and of each unit, without the engine.

    Args:
        root: the folder of `Pulumi.yaml`.
        layout: the stacks.
        settings: the settings that the engine reads.
        tenants: all tenants, checked.
        foundation: the last run of the foundation.

    Raises EngineError when a file of the program does not exist.
    """
    program = program_digest(root)
    common = common_digest(layout, [root / path for path in settings.authorities])
    ids = "" if foundation is None else foundation.objects
    listed = tuple(tenants)
    people = sorted({person for tenant in listed for person in tenant.people})
    found: dict[str | None, Inputs] = {None: Inputs(program, own_digest(layout, None, common), digest_of(people))}
    for unit, slugs in layout.units.items():
        files = [digest_of_file(layout.projects / f"{slug}.yaml") for slug in slugs]
        its = digest_of(files) if is_shard(unit) else files[0]
        found[unit] = Inputs(program, own_digest(layout, unit, common), its, ids)
    return found


def common_digest(layout: Layout, files: Iterable[Path]) -> str:
    """Return the digest of the settings of every tenant, with the files that they name. Raises EngineError."""
    return digest_of([_text(layout.common()), *map(digest_of_file, files)])


def own_digest(layout: Layout, unit: str | None, common: str) -> str:
    """Return the digest of the settings of one stack. Which tenants a shard has follows from their files."""
    own = {key: value for key, value in layout.own(unit).items() if key != TENANTS}
    return digest_of([common, _text(own)])


def _text(keys: Mapping[str, object]) -> str:
    return json.dumps(keys, sort_keys=True, default=str)
