"""The journal of a move of objects between stacks: while it is there, no run may act on these stacks.

During a move an object can be in the states of two stacks. A move that was interrupted has no lock any more, but its
journal stays until `usine move` has finished.
"""

from __future__ import annotations

import datetime
import enum
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from model.units import units_of
from usine.engine.cli import EngineError, short_name
from usine.engine.storage import Storage, storage_errors


class MoveTarget(enum.StrEnum):
    """Where the objects of tenants go: to stacks of tenants or shards, or to the stack of the foundation."""

    FLEET = "fleet"
    ONE = "one"


@dataclass(frozen=True, slots=True)
class MoveJournal:
    """A move that has begun (UTC): of these tenants, with backups of the states in the folder `backup`.

    `checked`: the states that it wrote have no changes, so that it only goes on from there. `shards` is the number of
    shards of the fleet, None for a stack per tenant.
    """

    target: MoveTarget
    slugs: tuple[str, ...]
    began: datetime.datetime
    backup: str
    checked: bool = False
    shards: int | None = None


_errors: Final = partial(storage_errors, "the files of a move beside the state")
_JOURNAL: Final = TypeAdapter(MoveJournal)
_FILE: Final = "journal.json"


def move_folder(base: str) -> tuple[str, ...]:
    """Return the folder of journal and backups of a stack. A full name is <organisation>/<project>/<stack>."""
    return (".usine", "moves", short_name(base))


def read_journal(storage: Storage, base: str) -> MoveJournal | None:
    """Return the journal of the move that has not finished; None if there is none. Raises EngineError."""
    with _errors():
        text = storage.read(*move_folder(base), _FILE)
    try:
        return None if text is None else _JOURNAL.validate_json(text)
    except ValidationError:
        path = storage.path(*move_folder(base), _FILE)
        raise EngineError(f"the journal of the move cannot be read: {path}") from None


def write_journal(storage: Storage, base: str, journal: MoveJournal) -> None:
    """Write the journal: from now on, no other run acts on the stacks. Raises EngineError."""
    with _errors():
        storage.write(_JOURNAL.dump_json(journal), *move_folder(base), _FILE)


def remove_journal(storage: Storage, base: str) -> None:
    """Remove the journal: the move has finished. Raises EngineError."""
    with _errors():
        storage.remove(*move_folder(base), _FILE)


def write_backup(storage: Storage, base: str, journal: MoveJournal, stack: str, state: Mapping[str, object]) -> None:
    """Keep the state of a stack as it is before a move, with its secrets encrypted. Raises EngineError."""
    with _errors():
        storage.write(json.dumps(state).encode(), *_backup(base, journal, stack), private=True)


def read_backup(storage: Storage, base: str, journal: MoveJournal, stack: str) -> dict[str, Any]:
    """Return the state of a stack before a move. Raises EngineError."""
    path = _backup(base, journal, stack)
    with _errors():
        text = storage.read(*path)
    if text is None:
        raise EngineError(f"the backup {storage.path(*path)} is missing, so that the move cannot continue")
    state: dict[str, Any] = json.loads(text)
    return state


def _backup(base: str, journal: MoveJournal, stack: str) -> tuple[str, ...]:
    return (*move_folder(base), journal.backup, f"{short_name(stack)}.json")


def refuse_unfinished_move(storage: Storage, stack: str) -> None:
    """Raise EngineError if objects of this stack are being moved."""
    for base, unit in _owners(stack):
        journal = read_journal(storage, base)
        if journal is not None and (unit is None or unit in units_of(journal.slugs, journal.shards)):
            raise EngineError(
                f"objects of the stack {stack} are being moved since {journal.began:%Y-%m-%d %H:%M} UTC, and some may "
                f"be in two states. Finish it: usine move --stack {base} --to {journal.target}"
            )


def _owners(stack: str) -> Iterator[tuple[str, str | None]]:
    """Yield the stacks whose move may concern this one, with its unit (None: it is that stack)."""
    yield stack, None
    base, dot, unit = stack.rpartition(".")
    if dot:
        yield base, unit
