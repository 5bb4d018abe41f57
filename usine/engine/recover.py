"""After a run that was killed: release its lock, and settle what it was creating at that moment.

The engine notes each operation before it starts. When it is killed between an object's creation and the note of its
result, the object exists and the state does not know it: the next run would create it again, and most systems refuse.
So every noted creation is looked for: what exists enters the state under its id, what does not is simply forgotten.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

from usine.engine.cli import Engine, EngineError
from usine.engine.events import Step
from usine.engine.lock_files import Record
from usine.engine.lookup import Finder
from usine.engine.owner import Life, runs
from usine.engine.storage import NoStorageError, state_storage

_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - Pulumi's marker of an encrypted value, not a value
_SIGNATURE = "4dabf18193072939515e22adb298388d"

_PROJECT = "gitlab:index/project:Project"
#: Types whose objects stay in their system when the state lets go of them, and whose create refuses what is there.
_KEPT = frozenset({"gitlab:index/projectTag:ProjectTag"})

Answer = TypeVar("Answer")
#: A resource of the checkpoint, as JSON.
Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was done: URNs adopted into the state, those taken away, and creations of which nothing is there (yet)."""

    adopted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    forgotten: tuple[Resource, ...] = ()


def recover(engine: Engine, finder: Finder) -> Recovery:
    """Settle the pending operations of the stack. Does nothing, quickly, when there are none.

    Raises EngineError when a system cannot be asked: then nothing was changed.
    """
    checkpoint = engine.export_state()
    deployment: Any = checkpoint.get("deployment") or {}
    pending = deployment.get("pending_operations") or []
    if not pending:
        return Recovery()
    known = {resource["urn"] for resource in deployment.get("resources", ())}
    # An update or a deletion is done again by the next run; the old half of a replacement is known.
    created = [o["resource"] for o in pending if o["type"] == "creating" and o["resource"]["urn"] not in known]
    found = {resource["urn"]: _ask(finder.find, resource) for resource in created}
    removed = tuple(r["urn"] for r in created if found[r["urn"]] is None and _ask(finder.remove_orphan, r))
    deployment["pending_operations"] = []
    _adopt(engine, checkpoint, created, found)
    return Recovery(
        adopted=tuple(urn for urn, id_ in found.items() if id_ is not None),
        removed=removed,
        forgotten=tuple(r for r in created if found[r["urn"]] is None and r["urn"] not in removed),
    )


def adopt_late(engine: Engine, finder: Finder, resources: Iterable[Resource]) -> tuple[str, ...]:
    """Adopt, or take away, what has come into being since `recover` looked for it; return its URNs.

    A server goes on with a request whose sender was killed: the realm of a busy Keycloak is there many seconds later.
    """
    late = list(resources)
    found = {resource["urn"]: _ask(finder.find, resource) for resource in late}
    if any(found.values()):
        _adopt(engine, engine.export_state(), late, found)
    removed = (r["urn"] for r in late if found[r["urn"]] is None and _ask(finder.remove_orphan, r))
    return (*(urn for urn, id_ in found.items() if id_ is not None), *removed)


def adopt_kept(engine: Engine, finder: Finder, steps: Iterable[Step]) -> tuple[str, ...]:
    """Adopt what a run could not create since an earlier one left it where it was; return its URNs.

    The catalogue has a tag by its content: as it was before, it has the tag it had before.
    """
    refused = [step for step in steps if step.op == "create" and not step.done and step.address.type in _KEPT]
    if not refused:
        return ()
    checkpoint = engine.export_state()
    deployment: Any = checkpoint.get("deployment") or {}
    projects = {r["id"]: r for r in deployment.get("resources") or () if r["type"] == _PROJECT}
    wanted = [
        {
            "urn": step.address.urn,
            "custom": True,
            "type": step.address.type,
            "inputs": step.inputs,
            "parent": project["urn"],
            "provider": project["provider"],
            "retainOnDelete": True,
        }
        for step in refused
        if (project := projects.get(step.inputs.get("project")))
    ]
    found = {resource["urn"]: _ask(finder.find, resource) for resource in wanted}
    if any(found.values()):
        _adopt(engine, checkpoint, wanted, found)
    return tuple(urn for urn, id_ in found.items() if id_ is not None)


def _adopt(
    engine: Engine, checkpoint: dict[str, object], resources: Iterable[Resource], ids: Mapping[str, str | None]
) -> None:
    """Write the checkpoint with the resources that have an id, and let the plugins read them."""
    deployment: Any = checkpoint["deployment"]
    adopted = [{**r, "id": ids[r["urn"]], "outputs": r.get("inputs", {})} for r in resources if ids[r["urn"]]]
    deployment.setdefault("resources", []).extend(adopted)
    engine.import_state(checkpoint)
    if adopted:
        targets = [argument for resource in adopted for argument in ("--target", resource["urn"])]
        engine.capture("refresh", "--yes", "--skip-preview", *targets)


def _ask(question: Callable[[str, Mapping[str, Any]], Answer], resource: Mapping[str, Any]) -> Answer:
    inputs = {
        key: value
        for key, value in resource.get("inputs", {}).items()
        if not (isinstance(value, dict) and value.get(_SIGNATURE) == _SECRET)
    }
    try:
        return question(resource["type"], inputs)
    except requests.RequestException as error:
        why = type(error).__name__ if error.response is None else f"HTTP {error.response.status_code}"
        raise EngineError(
            f"a killed run may have created {resource['urn'].rsplit('::', 1)[-1]} ({resource['type']}), "
            f"and its system does not answer: {why}. Nothing was changed; try again when it does."
        ) from error


def release_dead_lock(engine: Engine, predecessor: Record | None = None) -> str | None:
    """Cancel the engine's lock of a run that is gone; return whose it was, or None.

    A run is gone when its process was on this machine and is there no more, or when it is that of `predecessor`, who
    was taken for dead. Only where the locks are files can they be judged from here; any other back end keeps its own.
    """
    try:
        storage = state_storage(engine.environment)
    except NoStorageError:
        return None
    folder = (".pulumi", "locks")
    for path in storage.find(*folder, suffix=".json"):
        if path.split("/")[-2] != engine.stack.rsplit("/", 1)[-1]:
            continue
        lock = json.loads(storage.read(*folder, path) or b"{}")
        if lock and _gone(lock, predecessor, local=storage.local):
            if storage.local:
                _remove_half_written(Path(storage.path(".pulumi")), engine.stack)
            engine.capture("cancel", "--yes")
            return f"{lock.get('username')}, process {lock['pid']}"
    return None


def _gone(lock: Mapping[str, Any], predecessor: Record | None, *, local: bool) -> bool:
    host, pid = lock.get("hostname"), int(lock["pid"])
    if predecessor is not None and predecessor.engine is not None:
        engine = predecessor.engine
        if (host, pid) == (engine.host, engine.pid):
            return engine.life is not Life.ALIVE
    # Only a file backend is sure to be this machine's own: elsewhere another one may have its name.
    return local and host == socket.gethostname() and not runs(pid)


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
