"""What the result of a run depends on, as digests: commit, program, tenant files, settings and state."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pulumi_facts.checkpoint import deployment_of
from pulumi_facts.values import SECRET, is_special
from usine.engine.cli import Engine, EngineError
from usine.program import PROGRAM

#: Fields of a resource that a run without changes rewrites, and fields whose order has no meaning.
_VOLATILE = frozenset({"created", "modified", "sourcePosition", "stackTrace"})
_UNORDERED = frozenset({"dependencies", "propertyDependencies"})


@dataclass(frozen=True, slots=True)
class Sources:
    """What the result of a run depends on. `commit` is None outside a Git repository; the others are SHA-256 digests.

    `program` and `tenants` are digests of the files on disk, so they include changes that are not committed.
    `settings` is a digest of the configuration's values, not of the file: the engine writes its salt there.
    """

    commit: str | None
    program: str
    tenants: str
    settings: str
    state: str


def read_sources(engine: Engine, projects: Path, checkpoint: Mapping[str, object] | None = None) -> Sources:
    """Return the digests of what the engine would run now.

    `projects` is the folder of tenant files, `checkpoint` the state if it was exported already. Raises EngineError when
    the state cannot be exported, or a file of the program does not exist.
    """
    return Sources(
        commit=commit_of(engine.root),
        program=program_digest(engine.root),
        tenants=_digest_of_files(projects, sorted(projects.glob("*.yaml"))),
        settings=_digest_of_settings(settings_file(engine)),
        state=state_digest(engine.export_state() if checkpoint is None else checkpoint),
    )


def program_digest(root: Path) -> str:
    """Return the digest of the program's files. Raises EngineError when one of them does not exist."""
    return _digest_of_files(root, [root / name for name in PROGRAM])


def digest_of_file(path: Path) -> str:
    """Return the digest of a file's content. Raises EngineError when it cannot be read."""
    try:
        return _digest(path.read_bytes())
    except OSError as error:
        raise EngineError(f"{path}: cannot be read: {error.strerror}") from None


def settings_file(engine: Engine) -> Path:
    """Return the settings file that the engine reads."""
    return engine.config_file or engine.root / f"Pulumi.{engine.stack}.yaml"


def commit_of(root: Path) -> str | None:
    """Return the commit that is checked out; None outside a Git repository, or without Git."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "HEAD"], cwd=root, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def state_digest(checkpoint: Mapping[str, Any]) -> str:
    """Return the digest of a checkpoint, as `pulumi stack export` writes it, with secrets encrypted.

    What a run without changes rewrites is left out: times, the order of resources and of their dependencies, source
    positions, and the cipher text of secrets.
    """
    deployment = deployment_of(checkpoint)
    resources = sorted(json.dumps(_lasting(r), sort_keys=True) for r in deployment.get("resources") or ())
    pending = json.dumps(_lasting(deployment.get("pending_operations") or ()), sort_keys=True)
    return _digest("\n".join([*resources, pending]).encode())


def _lasting(value: Any) -> object:  # noqa: ANN401 - JSON
    match value:
        case dict() if is_special(value):
            return SECRET
        case dict():
            return {
                key: _unordered(item) if key in _UNORDERED else _lasting(item)
                for key, item in value.items()
                if key not in _VOLATILE
            }
        case list():
            return [_lasting(item) for item in value]
    kept: object = value
    return kept


def _unordered(value: Any) -> object:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: sorted(items or ()) for key, items in value.items()}
    return sorted(value or ())


def _digest_of_settings(path: Path) -> str:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return _digest(json.dumps((document or {}).get("config"), sort_keys=True, default=str).encode())


def _digest_of_files(root: Path, tops: Iterable[Path]) -> str:
    """Digest names and contents of files, and of every file in folders but Python's bytecode.

    Raises EngineError when one of the paths does not exist: a digest of nothing would pass for one of the program.
    """
    lines = []
    for top in tops:
        if not top.exists():
            raise EngineError(f"{top}: no such file or folder; it is one of the files that a plan depends on")
        files = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
        lines += [
            f"{path.relative_to(root).as_posix()} {_digest(path.read_bytes())}\n"
            for path in files
            if "__pycache__" not in path.parts
        ]
    return _digest("".join(lines).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
