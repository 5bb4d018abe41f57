"""Recovery of an interrupted run: releases the engine's lock, and completes the operations that were under way.

The engine records each operation in the state before it starts (`pending_operations`). When it is killed after an
object is created and before the result is recorded, the object exists and the state does not have it. The next run
would create it again, and most systems refuse that. So each pending creation is looked for in its system: an object
that exists is added to the state with its id, and the others are removed from the list.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pulumi_facts.checkpoint import deployment_of
from pulumi_facts.urns import name_of
from pulumi_facts.values import is_secret
from usine.clients import ClientError
from usine.engine.cli import Engine, EngineError, short_name
from usine.engine.events import Step
from usine.engine.lock_files import Record
from usine.engine.lookup import Finder
from usine.engine.owner import Life, runs
from usine.engine.storage import NoStorageError, state_storage

_PROJECT = "gitlab:index/project:Project"
#: Types whose objects stay in their system when they leave the state, and cannot be created when they exist.
_KEPT = frozenset({"gitlab:index/projectTag:ProjectTag"})


@dataclass(frozen=True, slots=True)
class _EngineLock:
    """A lock file of Pulumi's file and bucket backends."""

    pid: int
    hostname: str = ""
    username: str = ""


_LOCK = TypeAdapter(_EngineLock)

Answer = TypeVar("Answer")
#: A resource of the checkpoint, as JSON.
Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What recovery did: URNs added to the state, URNs deleted, and pending creations without an object (yet).

    `checkpoint` is the state, if recovery did not change it.
    """

    adopted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    forgotten: tuple[Resource, ...] = ()
    checkpoint: Mapping[str, Any] | None = None


def recover(engine: Engine, finder: Finder, checkpoint: dict[str, object]) -> Recovery:
    """Complete the pending operations of this state; return at once when there are none.

    Raises EngineError when a system does not answer; nothing is changed then.
    """
    deployment = deployment_of(checkpoint)
    pending = deployment.get("pending_operations") or []
    if not pending:
        return Recovery(checkpoint=checkpoint)
    known = {resource["urn"] for resource in deployment.get("resources", ())}
    # The next run repeats an update or a deletion. The old object of a replacement is in the state.
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
    """Adopt or delete objects that appeared after `recover` looked for them; return their URNs.

    A server finishes a request whose sender was killed: a busy Keycloak creates the realm many seconds later.
    """
    late = list(resources)
    found = {resource["urn"]: _ask(finder.find, resource) for resource in late}
    if any(found.values()):
        _adopt(engine, engine.export_state(), late, found)
    removed = (r["urn"] for r in late if found[r["urn"]] is None and _ask(finder.remove_orphan, r))
    return (*(urn for urn, id_ in found.items() if id_ is not None), *removed)


def adopt_kept(engine: Engine, finder: Finder, steps: Iterable[Step]) -> tuple[str, ...]:
    """Adopt objects that the run could not create because an earlier run left them in their system; return their URNs.

    The tag of the catalogue is named by its content. When the content is what it was before, the tag exists already.
    """
    refused = [step for step in steps if step.op == "create" and not step.done and step.address.type in _KEPT]
    if not refused:
        return ()
    checkpoint = engine.export_state()
    deployment = deployment_of(checkpoint)
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
    """Add the resources that have an id to the state, and let the plugins read their outputs."""
    deployment: Any = checkpoint["deployment"]
    adopted = [{**r, "id": ids[r["urn"]], "outputs": r.get("inputs", {})} for r in resources if ids[r["urn"]]]
    deployment.setdefault("resources", []).extend(adopted)
    engine.import_state(checkpoint)
    if adopted:
        targets = [argument for resource in adopted for argument in ("--target", resource["urn"])]
        engine.capture("refresh", "--yes", "--skip-preview", *targets)


def _ask(question: Callable[[str, Mapping[str, Any]], Answer], resource: Mapping[str, Any]) -> Answer:
    inputs = {key: value for key, value in resource.get("inputs", {}).items() if not is_secret(value)}
    try:
        return question(resource["type"], inputs)
    except ClientError as error:
        raise EngineError(
            f"an interrupted run may have created {name_of(resource['urn'])} ({resource['type']}), "
            f"and its system does not answer: {error.reason}. Nothing was changed; try again when it does."
        ) from error


def release_dead_lock(engine: Engine, predecessor: Record | None = None) -> str | None:
    """Cancel the engine's lock of a run that has died; return its owner, or None when there is none to cancel.

    A run has died when its process was on this machine and no longer exists, or when it is the engine of `predecessor`,
    the dead owner of the run lock. Only a lock that is a file can be judged; other backends have their own locks.
    """
    try:
        storage = state_storage(engine.environment)
    except NoStorageError:
        return None
    folder = (".pulumi", "locks")
    for path in storage.find(*folder, suffix=".json"):
        if path.split("/")[-2] != short_name(engine.stack):
            continue
        lock = _read_lock(storage.read(*folder, path) or b"")
        if lock is not None and _has_died(lock, predecessor, local=storage.local):
            if storage.local:
                _remove_half_written(Path(storage.path(".pulumi")), engine.stack)
            engine.capture("cancel", "--yes")
            return f"{lock.username}, process {lock.pid}"
    return None


def _read_lock(data: bytes) -> _EngineLock | None:
    try:
        return _LOCK.validate_json(data)
    except ValidationError:  # half-written: the engine refuses the run and names the file
        return None


def _has_died(lock: _EngineLock, predecessor: Record | None, *, local: bool) -> bool:
    host, pid = lock.hostname, lock.pid
    if predecessor is not None and predecessor.engine is not None:
        engine = predecessor.engine
        if (host, pid) == (engine.host, engine.pid):
            return engine.life is not Life.ALIVE
    # Only with a file backend is it sure to be this machine: in a bucket, another machine may have the same name.
    return local and host == socket.gethostname() and not runs(pid)


def _remove_half_written(folder: Path, stack: str) -> None:
    """Remove incomplete files that an interrupted run left beside the checkpoint.

    The backend replaces the checkpoint atomically, but not its file of attributes. An incomplete file of attributes
    makes the checkpoint unreadable ("EOF"); without the file nothing is lost.
    """
    for attributes in (folder / "stacks").glob(f"*/{stack}.json*.attrs"):
        try:
            json.loads(attributes.read_bytes())
        except ValueError:
            attributes.unlink()
    for leftover in (folder / "stacks").glob(f"*/{stack}.json.*.tmp"):
        leftover.unlink()
