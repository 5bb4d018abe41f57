"""After a run that was killed: release its lock, and settle what it was creating at that moment.

The engine notes each operation before it starts. When it is killed between an object's creation and the note of its
result, the object exists and the state does not know it: the next run would create it again, and most systems refuse.
So every noted creation is looked for: what exists enters the state under its id, what does not is simply forgotten.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import requests

from usine.engine.cli import Engine, EngineError
from usine.engine.lookup import Finder

_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - Pulumi's marker of an encrypted value, not a value
_SIGNATURE = "4dabf18193072939515e22adb298388d"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was done: URNs adopted into the state, and URNs of creations that had not happened."""

    adopted: tuple[str, ...]
    forgotten: tuple[str, ...]


def recover(engine: Engine, finder: Finder) -> Recovery:
    """Settle the pending operations of the stack. Does nothing, quickly, when there are none.

    Raises EngineError when a system cannot be asked: then nothing was changed.
    """
    checkpoint = engine.export_state()
    deployment: Any = checkpoint.get("deployment") or {}
    pending = deployment.get("pending_operations") or []
    if not pending:
        return Recovery((), ())
    adopted, forgotten = [], []
    known = {resource["urn"] for resource in deployment.get("resources", ())}
    for operation in pending:
        resource = operation["resource"]
        urn = resource["urn"]
        if operation["type"] != "creating" or urn in known:
            continue  # an update or a deletion is done again by the next run; a replacement's old half is known
        id_ = _find(finder, resource)
        if id_ is None:
            forgotten.append(urn)
            continue
        # The plugin reads the object under this id at the refresh below, and fills in what the server knows.
        deployment.setdefault("resources", []).append({**resource, "id": id_, "outputs": resource.get("inputs", {})})
        adopted.append(urn)
    deployment["pending_operations"] = []
    engine.import_state(checkpoint)
    if adopted:
        targets = [argument for urn in adopted for argument in ("--target", urn)]
        engine.capture("refresh", "--yes", "--skip-preview", *targets)
    return Recovery(tuple(adopted), tuple(forgotten))


def _find(finder: Finder, resource: Mapping[str, Any]) -> str | None:
    inputs = {
        key: value
        for key, value in resource.get("inputs", {}).items()
        if not (isinstance(value, dict) and value.get(_SIGNATURE) == _SECRET)
    }
    try:
        return finder.find(resource["type"], inputs)
    except requests.RequestException as error:
        raise EngineError(
            f"a killed run may have created {resource['urn'].rsplit('::', 1)[-1]} ({resource['type']}), "
            f"and its system does not answer: {type(error).__name__}. Nothing was changed; try again when it does."
        ) from error


def release_dead_lock(engine: Engine) -> str | None:
    """Cancel the lock of a run on this machine whose process is gone; return whose it was, or None.

    Only a file backend's locks can be judged from here; any other back end keeps its own.
    """
    backend = urlparse(engine.environment.get("PULUMI_BACKEND_URL", ""))
    if backend.scheme != "file":
        return None
    folder = Path(unquote(backend.netloc + backend.path)) / ".pulumi"
    for path in sorted((folder / "locks").glob(f"**/{engine.stack}/*.json")):
        lock = json.loads(path.read_text(encoding="utf-8"))
        if lock.get("hostname") == socket.gethostname() and not _alive(int(lock["pid"])):
            _remove_half_written(folder, engine.stack)
            engine.capture("cancel", "--yes")
            return f"{lock.get('username')}, process {lock['pid']}"
    return None


def _remove_half_written(folder: Path, stack: str) -> None:
    """Remove what a killed run had begun to write beside the checkpoint.

    The backend replaces the checkpoint itself at one stroke, but not the file of attributes that goes with it: cut
    short, it makes the whole checkpoint unreadable ("EOF"), and without it nothing is lost.
    """
    for attributes in (folder / "stacks").glob(f"*/{stack}.json*.attrs"):
        try:
            json.loads(attributes.read_bytes())
        except ValueError:
            attributes.unlink()
    for leftover in (folder / "stacks").glob(f"*/{stack}.json.*.tmp"):
        leftover.unlink()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # Killed, but nobody has taken note of it yet: still in the table, will never run again.
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except OSError:
        return True
    return state not in {"Z", "X"}
