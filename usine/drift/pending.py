"""Changes that a repair applies besides the drift: changes of tenant files that no run has applied yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pulumi_facts.paths import Path, render
from pulumi_facts.values import ABSENT, DEFAULTS, UNKNOWN, is_special, plain
from usine.engine.events import Step


def pending(steps: Iterable[Step], resources: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each object whose inputs changed since they were last applied.

    `steps` are the engine's plan of the repair. `resources` are the state before the repair, with the inputs that were
    last applied. Drift is no difference between the two, and adopted objects are not in that state.
    """
    before = {resource["urn"]: resource.get("inputs") or {} for resource in resources if not resource.get("delete")}
    for step in steps:
        urn = step.address.urn
        if not step.address.is_object or urn not in before:
            continue
        if step.op == "delete":
            yield f"{step.address.name}: the files no longer contain it, so it is deleted"
        elif paths := [render(path) for path in _differences(before[urn], step.inputs, ())]:
            yield f"{step.address.name}: the files changed since it was last applied: {', '.join(paths)}"


def _differences(old: object, new: object, path: Path) -> Iterator[Path]:
    """Yield the paths that differ; a list is one value. An unknown value is no difference."""
    if isinstance(old, Mapping) and isinstance(new, Mapping) and not is_special(old) and not is_special(new):
        # The plugin may fill in its defaults again after it reads the object.
        chosen = {DEFAULTS, *(old.get(DEFAULTS) or ()), *(new.get(DEFAULTS) or ())}
        for key in sorted((old.keys() | new.keys()) - chosen):
            yield from _differences(old.get(key, ABSENT), new.get(key, ABSENT), (*path, str(key)))
    elif plain(old) != plain(new) and UNKNOWN not in repr(new):
        yield path
