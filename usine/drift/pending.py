"""What a repair applies beside the drift: changes of the tenant's file that no run has applied yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pulumi.runtime import rpc

from usine.drift.paths import Path, render
from usine.drift.values import DEFAULTS, SIGNATURE, plain
from usine.engine.events import Step
from usine.report.model import ABSENT


def pending(steps: Iterable[Step], resources: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each object whose file asks for something else than what was last applied.

    `steps` are the engine's plan of the repair; `resources` the state as it was before it, which says what was last
    applied. The drift is no difference between these two, and an object that the repair adopts is not in that state.
    """
    before = {resource["urn"]: resource.get("inputs") or {} for resource in resources if not resource.get("delete")}
    for step in steps:
        urn = step.address.urn
        if not step.address.is_object or urn not in before:
            continue
        if step.op == "delete":
            yield f"{step.address.name}: the files no longer have it, so it is deleted"
        elif paths := [render(path) for path in _differences(before[urn], step.inputs, ())]:
            yield f"{step.address.name}: the files changed since it was last applied: {', '.join(paths)}"


def _differences(old: object, new: object, path: Path) -> Iterator[Path]:
    """Yield the paths that differ; a list is one value. What is not known before the run is no difference."""
    if isinstance(old, Mapping) and isinstance(new, Mapping) and not _is_value(old) and not _is_value(new):
        # What the plugin chose by itself, it may choose again after what it found.
        chosen = {DEFAULTS, *(old.get(DEFAULTS) or ()), *(new.get(DEFAULTS) or ())}
        for key in sorted((old.keys() | new.keys()) - chosen):
            yield from _differences(old.get(key, ABSENT), new.get(key, ABSENT), (*path, str(key)))
    elif plain(old) != plain(new) and rpc.UNKNOWN not in repr(new):
        yield path


def _is_value(value: Mapping[str, Any]) -> bool:
    return SIGNATURE in value
