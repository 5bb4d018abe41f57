"""The record of the last complete run, kept beside the state. With it, a preview can show that `up` has nothing to do.

A preview has no step for what a run writes only to the state: protection, dependencies, aliases, timeouts, another
secrets provider. So a preview without steps is not enough. It is enough together with this record: the last complete
run had the same program, tenant files and settings, and ended with exactly this state, so it wrote all of that. What
can change without a file (a plugin, a certificate authority, the environment) changes inputs or outputs, and the
preview compares these (`Events.idle`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import yaml
from pydantic import TypeAdapter

from pulumi_facts.checkpoint import deployment_of
from usine.engine.cli import ENCRYPTION_KEYS, Engine, short_name
from usine.engine.sources import Sources, settings_file
from usine.engine.storage import state_storage


@dataclass(frozen=True, slots=True)
class Applied:
    """A complete run: its sources, with the state after it, and a digest of the secrets' encryption settings.

    It has no commit: another commit with the same files makes the same platform.
    """

    sources: Sources
    encryption: str


_APPLIED = TypeAdapter(Applied)


def applied_by(engine: Engine, sources: Sources, checkpoint: Mapping[str, Any]) -> Applied:
    """Return the record of a run that ended with this checkpoint."""
    text = settings_file(engine).read_text(encoding="utf-8")
    settings = yaml.safe_load(text) or {}
    provider = deployment_of(checkpoint).get("secrets_providers")
    encryption = json.dumps([*(settings.get(key) for key in ENCRYPTION_KEYS), provider], sort_keys=True, default=str)
    return Applied(replace(sources, commit=None), hashlib.sha256(encryption.encode()).hexdigest())


def read_applied(engine: Engine) -> Applied | None:
    """Return the record of the last complete run; None when it does not exist or cannot be read."""
    try:
        return _APPLIED.validate_json(state_storage(engine.environment).read(*_path(engine)) or b"")
    except Exception:  # noqa: BLE001 - any error of a storage driver: without the record, the engine runs
        return None


def write_applied(engine: Engine, applied: Applied) -> None:
    """Write the record of a complete run. If that fails, the next run is a complete one."""
    with suppress(Exception):  # any error of a storage driver
        state_storage(engine.environment).write(_APPLIED.dump_json(applied), *_path(engine))


def _path(engine: Engine) -> tuple[str, ...]:
    # A full name is <organisation>/<project>/<stack>.
    return (".usine", "applied", f"{short_name(engine.stack)}.json")
