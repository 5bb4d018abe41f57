"""The difference between state and plan, as property paths of the engine."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from lab.plugins.planning import canonical, same
from lab.plugins.schema import Field, Shape
from lab.plugins.wire import Properties, Unknown, Value, has_unknown
from lab.stubs import provider_pb2

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PROPERTY_DIFF: Final[Any] = provider_pb2.PropertyDiff
ADD: Final[int] = _PROPERTY_DIFF.ADD
DELETE: Final[int] = _PROPERTY_DIFF.DELETE
UPDATE: Final[int] = _PROPERTY_DIFF.UPDATE
_REPLACING: Final[Mapping[int, int]] = {
    ADD: _PROPERTY_DIFF.ADD_REPLACE,
    DELETE: _PROPERTY_DIFF.DELETE_REPLACE,
    UPDATE: _PROPERTY_DIFF.UPDATE_REPLACE,
}
Changes = dict[str, int]


def join(path: str, key: str) -> str:
    """Add a key to a property path, quoted unless it is a plain word."""
    if _PLAIN_KEY.match(key):
        return f"{path}.{key}" if path else key
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'{path}["{escaped}"]'


def changes(shape: Shape, prior: Properties, planned: Properties, inputs: Mapping[str, Value]) -> Changes:
    """Return every changed path with its kind (ADD, DELETE, UPDATE), without regard to replacements."""
    found: Changes = {}
    for name, field in shape.fields.items():
        found.update(_field(field, name, prior.get(name), planned.get(name), inputs.get(name)))
    return found


def _field(field: Field, path: str, old: Value, new: Value, given: Value) -> Changes:
    if old is None and new is None:
        return {}
    if old is None:
        return {path: ADD}
    if new is None:
        return {path: DELETE}
    if isinstance(new, Unknown):
        return {path: UPDATE}
    if same(field, old, new):
        return {}
    if field.kind == "object" and field.fields is not None:
        inner = given if isinstance(given, dict) else {}
        return {
            key: kind
            for name, sub in field.fields.items()
            for key, kind in _field(sub, join(path, name), old.get(name), new.get(name), inner.get(name)).items()
        }
    if field.kind == "map":
        return _map(path, old, new)
    if field.kind == "set":
        return _set(path, old, new, given)
    if field.kind == "list":
        return _list(field, path, old, new)
    return {path: UPDATE}


def _map(path: str, old: Mapping[str, Value], new: Mapping[str, Value]) -> Changes:
    found: Changes = {}
    for key in sorted(old.keys() | new.keys()):
        if key not in old:
            found[join(path, key)] = ADD
        elif key not in new:
            found[join(path, key)] = DELETE
        elif old[key] != new[key]:
            found[join(path, key)] = UPDATE
    return found


def _list(field: Field, path: str, old: list[Value], new: list[Value]) -> Changes:
    if field.elem is not None and field.elem.kind == "object":
        found: Changes = {}
        for i in range(max(len(old), len(new))):
            before = old[i] if i < len(old) else None
            after = new[i] if i < len(new) else None
            found.update(_field(field.elem, f"{path}[{i}]", before, after, None))
        return found
    return _edits(path, [canonical(item) for item in old], [canonical(item) for item in new])


def _edits(path: str, old: list[str], new: list[str]) -> Changes:
    removed: set[int] = set()
    added: set[int] = set()
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if tag != "equal":
            removed.update(range(i1, i2))
            added.update(range(j1, j2))
    return _indexed(path, removed, added)


def _set(path: str, old: list[Value], new: list[Value], given: Value) -> Changes:
    if has_unknown(new):
        return {path: UPDATE}
    before = [canonical(item) for item in old]
    after = [canonical(item) for item in new]
    # The engine shows members by their index in the program's list, if that list has all of them.
    order = [canonical(item) for item in given] if isinstance(given, list) else after
    wanted = set(after) - set(before)
    if not wanted <= set(order):
        return {path: UPDATE}
    removed = {i for i, item in enumerate(before) if item not in set(after)}
    added = {order.index(item) for item in wanted}
    return _indexed(path, removed, added)


def _indexed(path: str, removed: set[int], added: set[int]) -> Changes:
    return {
        f"{path}[{i}]": UPDATE if i in removed and i in added else ADD if i in added else DELETE
        for i in sorted(removed | added)
    }


def top(path: str) -> str:
    """Return the top-level property of a path."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def response(
    shape: Shape, found: Changes, *, also_replacing: Collection[str] = (), delete_first: bool = False
) -> provider_pb2.DiffResponse:
    """Return the answer to a Diff. Changes of fields in `also_replacing` and of replace-on-change fields replace."""
    replacing = {name for name, field in shape.fields.items() if field.force_new} | set(also_replacing)
    detailed: dict[str, Any] = {}
    diffs: set[str] = set()
    replaces: set[str] = set()
    for path, kind in found.items():
        name = top(path)
        diffs.add(name)
        if name in replacing:
            replaces.add(name)
            kind = _REPLACING[kind]  # noqa: PLW2901 - the kind that also replaces
        detailed[path] = _PROPERTY_DIFF(kind=kind)
    statuses: Any = provider_pb2.DiffResponse
    return provider_pb2.DiffResponse(
        changes=statuses.DIFF_SOME if found else statuses.DIFF_NONE,
        replaces=sorted(replaces),
        stables=sorted(replacing - replaces),
        deleteBeforeReplace=bool(replaces) and delete_first,
        diffs=sorted(diffs),
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )
