# ruff: noqa: ANN401 - JSON documents have any type
"""Documents in one SQLite file: the persistent data of a stand-in server.

A document is a JSON object with a kind and a number, which is never reused. All access is in transactions, one at a
time, which makes every request atomic and is fast enough for a local platform.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Document = dict[str, Any]

_LARGEST = 2**63 - 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
    kind TEXT NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (kind TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
"""


class Store:
    """Documents by kind and id. Returned documents are copies: write changes with `put`."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; its folder must exist."""
        self._lock = threading.RLock()
        self._depth = 0
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")  # sufficient when the process is killed
        self._database.executescript(_SCHEMA)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block in a transaction. If transactions are nested, the outermost one commits."""
        with self._lock:
            outermost = self._depth == 0
            if outermost:
                self._database.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                if outermost:
                    self._database.execute("ROLLBACK")
                raise
            else:
                if outermost:
                    self._database.execute("COMMIT")
            finally:
                self._depth -= 1

    def add(self, kind: str, body: Document) -> Document:
        """Store a new document; return it with its `id`, which is the next number of its kind."""
        with self.transaction():
            row = self._database.execute(
                "INSERT INTO counter VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET last = last + 1 RETURNING last",
                (kind,),
            ).fetchone()
            document = {**body, "id": int(row[0])}
            self.put(kind, document)
        return document

    def put(self, kind: str, document: Document) -> None:
        """Store a document under its `id`, and replace an earlier one."""
        with self.transaction():
            self._database.execute(
                "INSERT INTO document VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, document["id"], json.dumps(document)),
            )

    def get(self, kind: str, id_: int) -> Document | None:
        """Return a document, or None."""
        if not -_LARGEST <= id_ <= _LARGEST:
            return None
        with self._lock:
            row = self._database.execute("SELECT body FROM document WHERE kind = ? AND id = ?", (kind, id_)).fetchone()
        return None if row is None else json.loads(row[0])

    def find(self, kind: str, /, **equal: Any) -> list[Document]:
        """Return the documents of a kind with these values in top-level fields, by id."""
        conditions, values = "", [kind]
        for name, value in equal.items():
            conditions += f" AND json_extract(body, '$.{name}') IS ?"
            values.append(value)
        with self._lock:
            rows = self._database.execute(
                f"SELECT body FROM document WHERE kind = ?{conditions} ORDER BY id",  # noqa: S608 - names from this code
                values,
            ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def first(self, kind: str, /, **equal: Any) -> Document | None:
        """Return the first of `find`, or None."""
        return next(iter(self.find(kind, **equal)), None)

    def remove(self, kind: str, id_: int) -> bool:
        """Delete a document; return whether it existed."""
        with self.transaction():
            done = self._database.execute("DELETE FROM document WHERE kind = ? AND id = ?", (kind, id_))
        return done.rowcount > 0

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()
