# ruff: noqa: ANN401 - JSON of a server has any type
"""Field ownership of an object (`metadata.managedFields`)."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any, Final

from lab.plugins.kubernetes.client import Object
from lab.plugins.kubernetes.objects import meta

# Managers whose fields an update takes over, by operation and prefix of their names, as in upstream. For this reason an
# update removes labels that were set with `kubectl label`.
_TAKEN: Final = (
    ("kubectl", "Apply"),
    ("kubectl", "Update"),
    ("before-first-apply", "Update"),
    ("pulumi-kubernetes", "Update"),
    ("pulumi-resource-kubernetes", "Update"),
)
_OWN: Final = ("pulumi-resource-kubernetes", "pulumi-kubernetes", "pulumi-kubernetes.exe")


def entries(live: Object) -> list[Object]:
    """Return the managed fields of a live object."""
    found = meta(live).get("managedFields")
    return found if isinstance(found, list) else []


def created_by_us(live: Object) -> bool:
    """Whether the static manager, which creates objects, still owns fields."""
    return any(entry.get("operation") == "Update" and entry.get("manager") in _OWN for entry in entries(live))


def takeover(live: Object, manager: str) -> list[Object] | None:
    """Return the JSON patch that moves the fields of earlier managers to `manager`, or None if there are none."""
    mine = next((e for e in entries(live) if e.get("manager") == manager and e.get("operation") == "Apply"), None)
    merged = copy.deepcopy(mine)
    kept: list[Object] = []
    for entry in entries(live):
        if entry is mine:
            continue
        taken = not entry.get("subresource") and any(
            str(entry.get("manager", "")).startswith(name) and entry.get("operation") == operation
            for name, operation in _TAKEN
        )
        if not taken:
            kept.append(entry)
        elif merged is None:
            merged = {**copy.deepcopy(entry), "manager": manager, "operation": "Apply"}
        else:
            merged["fieldsV1"] = _union(merged.get("fieldsV1") or {}, entry.get("fieldsV1") or {})
    if len(kept) + (mine is not None) == len(entries(live)):
        return None
    return [{"op": "replace", "path": "/metadata/managedFields", "value": [*kept, merged]}]


def _union(left: Object, right: Object) -> Object:
    result = dict(left)
    for key, value in right.items():
        result[key] = _union(result[key], value) if isinstance(result.get(key), dict) else value
    return result


def _owns(fields: Iterable[Object], parts: list[str]) -> bool:
    for tree in fields:
        node: Any = tree
        for part in parts:
            node = node.get(f"f:{part}") if isinstance(node, dict) else None
            if node is None:
                break
        else:
            return True
    return False


def apply_ignored(obj: Object, live: Object, ignored: Iterable[str], manager: str) -> None:
    """Change the applied object so that ignored fields stay: omit those that only another manager owns."""
    ours = [e.get("fieldsV1") or {} for e in entries(live) if e.get("manager") == manager]
    theirs = [e.get("fieldsV1") or {} for e in entries(live) if e.get("manager") != manager]
    for path in ignored:
        parts = _parts(path)
        if _owns(theirs, parts) and not _owns(ours, parts):
            _remove(obj, parts)
            continue
        found, value = _lookup(live, parts)
        if found:
            _put(obj, parts, value)


def _parts(path: str) -> list[str]:
    """Split a property path; keys can be quoted in brackets."""
    return [
        quoted.replace('\\"', '"') or plain
        for quoted, plain in re.findall(r'\["((?:[^"\\]|\\.)*)"\]|([^.\[\]]+)', path)
    ]


def _lookup(obj: Object, parts: list[str]) -> tuple[bool, Any]:
    node: Any = obj
    for part in parts:
        if not isinstance(node, dict) or part not in node:
            return False, None
        node = node[part]
    return True, copy.deepcopy(node)


def _put(obj: Object, parts: list[str], value: Any) -> None:
    node = obj
    for part in parts[:-1]:
        inner = node.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        node = inner
    node[parts[-1]] = value


def _remove(obj: Object, parts: list[str]) -> None:
    node: Any = obj
    for part in parts[:-1]:
        node = node.get(part) if isinstance(node, dict) else None
    if isinstance(node, dict):
        node.pop(parts[-1], None)
