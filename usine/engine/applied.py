"""What the last complete run left, kept beside the state: the proof that another run has nothing to do.

A preview shows no step for what a run writes to the state alone: protection, dependencies, aliases, timeouts, another
secrets provider. So a preview without steps is no proof by itself. It is one together with this record: the last
complete run had the same program, tenant files and settings, and left this very state. What it had to write, it wrote.
What may differ since then without a file of ours (a plugin, a certificate authority, the environment) reaches the state
through inputs and outputs, and those the preview compares (`Events.idle`).
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

from usine.engine.cli import Engine
from usine.engine.sources import Sources, settings_file
from usine.engine.storage import state_storage

#: The keys of a stack's settings file that say how its secrets are encrypted.
_ENCRYPTION = ("secretsprovider", "encryptedkey", "encryptionsalt")


@dataclass(frozen=True, slots=True)
class Applied:
    """A complete run: its sources with the state it left, and a digest of how the state's secrets are encrypted.

    The commit is not part of it: another commit with the same files is the same platform.
    """

    sources: Sources
    encryption: str


_APPLIED = TypeAdapter(Applied)


def applied_by(engine: Engine, sources: Sources, checkpoint: Mapping[str, Any]) -> Applied:
    """Return the record of a run that left this checkpoint."""
    text = settings_file(engine).read_text(encoding="utf-8")
    settings = yaml.safe_load(text) or {}
    provider = (checkpoint.get("deployment") or {}).get("secrets_providers")
    encryption = json.dumps([*(settings.get(key) for key in _ENCRYPTION), provider], sort_keys=True, default=str)
    return Applied(replace(sources, commit=None), hashlib.sha256(encryption.encode()).hexdigest())


def read_applied(engine: Engine) -> Applied | None:
    """Return the record of the last complete run; None where there is none, or none that can be read."""
    try:
        return _APPLIED.validate_json(state_storage(engine.environment).read(*_path(engine)) or b"")
    except Exception:  # noqa: BLE001 - whatever a storage's driver raises: without the record, the engine runs
        return None


def write_applied(engine: Engine, applied: Applied) -> None:
    """Keep the record of a complete run. Where that fails the run is no less complete, and the next one runs whole."""
    with suppress(Exception):  # whatever a storage's driver raises
        state_storage(engine.environment).write(_APPLIED.dump_json(applied), *_path(engine))


def _path(engine: Engine) -> tuple[str, ...]:
    # A full name is <organisation>/<project>/<stack>.
    return (".usine", "applied", f"{engine.stack.rsplit('/', 1)[-1]}.json")
