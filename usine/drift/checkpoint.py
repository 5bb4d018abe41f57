"""Edits of a stack's checkpoint that make the engine do a repair by itself, and how they are taken back."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from usine.drift.findings import Finding
from usine.drift.paths import Path, lookup, parse
from usine.engine.cli import Engine, EngineError
from usine.report.model import ABSENT

_STACK = "pulumi:pulumi:Stack"
_PROVIDER = "pulumi:providers:"
_KUBERNETES = "kubernetes:"
_DYNAMIC = "pulumi-python:"
#: How a dynamic resource carries its provider.
_DYNAMIC_PROVIDER = "__provider"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Edit:
    """What was done to a checkpoint: URNs of adopted objects by the key of their finding, and inputs taken out."""

    adopted: Mapping[str, str]
    hidden: tuple[tuple[str, Path, object], ...] = ()


def resources_of(checkpoint: Mapping[str, Any]) -> list[Json]:
    """Return the resources of an exported checkpoint."""
    found: list[Json] = (checkpoint.get("deployment") or {}).get("resources") or []
    return found


def edit(engine: Engine, to_adopt: Sequence[Finding], to_reveal: Sequence[Finding]) -> Edit:
    """Take unmanaged objects into the state, and properties out of the inputs there, where plugins see no difference.

    An adopted object is read by its plugin at once. Raises EngineError when the state cannot be written, or an object
    not be adopted.
    """
    checkpoint: Json = dict(engine.export_state())
    resources = resources_of(checkpoint)
    adopted = {finding.object_key: _resource(finding, resources) for finding in to_adopt}
    hidden = tuple(_hide(finding, resources) for finding in to_reveal)
    done = Edit({key: resource["urn"] for key, resource in adopted.items()}, hidden)
    if not (adopted or hidden):
        return done
    resources.extend(adopted.values())
    engine.import_state(checkpoint)
    if adopted:
        try:
            targets = [argument for urn in done.adopted.values() for argument in ("--target", urn)]
            engine.capture("refresh", "--yes", "--skip-preview", *targets)
        except EngineError as error:
            undo(engine, done)
            why = [line.strip() for line in str(error).splitlines() if line.strip().startswith("error:")]
            raise EngineError("\n".join(["nothing was repaired: an object could not be adopted", *why])) from None
    return done


def undo(engine: Engine, done: Edit) -> None:
    """Take out of the state what was adopted and is still there, and put inputs back that no update has."""
    checkpoint: Json = dict(engine.export_state())
    resources = resources_of(checkpoint)
    before = copy.deepcopy(resources)
    ours = set(done.adopted.values())
    resources[:] = [resource for resource in resources if resource["urn"] not in ours]
    by_urn = {resource["urn"]: resource for resource in resources if not resource.get("delete")}
    for urn, path, value in done.hidden:
        inputs = by_urn.get(urn, {}).get("inputs")
        if isinstance(inputs, dict) and lookup(inputs, path) is ABSENT:
            _put(inputs, path, value)
    if resources != before:
        engine.import_state(checkpoint)


def dependents(resources: Iterable[Mapping[str, Any]], urns: Iterable[str]) -> list[str]:
    """Return what takes a value from these resources, directly or not: made anew, they have others to give."""
    listed = list(resources)
    reached = set(urns)
    given = set(reached)
    while True:
        more = {
            str(resource["urn"])
            for resource in listed
            if resource["urn"] not in reached
            and resource.get("custom")
            and not str(resource["type"]).startswith(_PROVIDER)
            and reached & {urn for used in (resource.get("propertyDependencies") or {}).values() for urn in used or ()}
        }
        if not more:
            return sorted(reached - given)
        reached |= more


def _resource(finding: Finding, resources: Sequence[Mapping[str, Any]]) -> Json:
    """Make the state's entry of an unmanaged object: enough for its plugin to read it, and to delete it."""
    stack = next((str(resource["urn"]) for resource in resources if resource["type"] == _STACK), None)
    if stack is None:
        raise EngineError("the stack is empty: nothing of it can be repaired; run `usine up`")
    inputs: Json = {}
    if finding.type.startswith(_KUBERNETES):
        inputs = kubernetes_identity(finding.type, str(finding.import_id))
    if finding.type.startswith(_DYNAMIC):
        brother = next((r for r in resources if r["type"] == finding.type and r.get("inputs")), None)
        if brother is None:
            raise EngineError(f"{finding.name} cannot be adopted: the state has no other {finding.type}")
        inputs = {_DYNAMIC_PROVIDER: brother["inputs"][_DYNAMIC_PROVIDER]}
        provider = brother.get("provider")
    else:
        provider = next(
            (
                f"{resource['urn']}::{resource['id']}"
                for resource in resources
                if str(resource["type"]).startswith(_PROVIDER)
                and str(resource["urn"]).rpartition("::")[2] == finding.provider
            ),
            None,
        )
    if provider is None:
        raise EngineError(f"{finding.name} cannot be adopted: the state has no provider {finding.provider!r}")
    head, project, _, _ = stack.split("::", 3)
    return {
        "urn": f"{head}::{project}::{finding.type}::drift/{finding.object_key}",
        "custom": True,
        "id": finding.import_id,
        "type": finding.type,
        "inputs": inputs,
        "outputs": dict(inputs),
        "parent": stack,
        "provider": provider,
    }


def kubernetes_identity(type_: str, id_: str) -> Json:
    """Return what tells a Kubernetes object from all others, by its type token and its id ``[<namespace>/]<name>``."""
    _, module, kind = type_.split(":")
    namespace, _, name = id_.rpartition("/")
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": module.removeprefix("core/"), "kind": kind.removesuffix("Patch"), "metadata": metadata}


def _hide(finding: Finding, resources: Iterable[Json]) -> tuple[str, Path, object]:
    resource = next((r for r in resources if r["urn"] == finding.urn and not r.get("delete")), None)
    path = parse(finding.path)
    value = lookup(resource["inputs"], path) if resource is not None else ABSENT
    if resource is None or value is ABSENT:
        raise EngineError(f"the state has moved: {finding.name} has no {finding.path} any more; look again")
    del _parent(resource["inputs"], path)[path[-1]]
    return finding.urn, path, value


def _put(inputs: Json, path: Path, value: object) -> None:
    _parent(inputs, path)[path[-1]] = value


def _parent(inputs: Any, path: Path) -> Any:  # noqa: ANN401 - JSON
    for part in path[:-1]:
        inputs = inputs.setdefault(part, {}) if isinstance(inputs, dict) else inputs[part]
    return inputs
