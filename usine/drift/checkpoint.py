"""Edits of a stack's checkpoint that let the engine do a repair, and how they are undone."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pulumi_facts import tokens, urns
from pulumi_facts.checkpoint import resources_of
from pulumi_facts.paths import Path, lookup, parse
from pulumi_facts.values import ABSENT, DYNAMIC_PROVIDER
from usine.drift.findings import DriftFinding
from usine.engine.cli import Engine, EngineError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Edit:
    """The edits of a checkpoint: URNs of adopted objects by the key of their finding, and removed inputs."""

    adopted: Mapping[str, str]
    hidden: tuple[tuple[str, Path, object], ...] = ()


def edit(engine: Engine, to_adopt: Sequence[DriftFinding], to_reveal: Sequence[DriftFinding]) -> Edit:
    """Add unmanaged objects to the state, and remove inputs from it whose differences the plugins do not see.

    The plugin of an adopted object reads it at once. Raises EngineError if the state cannot be written or an object
    cannot be adopted.
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
    """Remove adopted objects that are still in the state, and restore removed inputs that no update has set."""
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
    """Return the resources that use outputs of these, directly or not: a new object has other outputs."""
    listed = list(resources)
    reached = set(urns)
    given = set(reached)
    while True:
        more = {
            str(resource["urn"])
            for resource in listed
            if resource["urn"] not in reached
            and resource.get("custom")
            and not tokens.is_provider(str(resource["type"]))
            and reached & {urn for used in (resource.get("propertyDependencies") or {}).values() for urn in used or ()}
        }
        if not more:
            return sorted(reached - given)
        reached |= more


def _resource(finding: DriftFinding, resources: Sequence[Mapping[str, Any]]) -> Json:
    """Return the state's entry for an unmanaged object, with what its plugin needs to read and to delete it."""
    stack = next((str(resource["urn"]) for resource in resources if resource["type"] == tokens.STACK), None)
    if stack is None:
        raise EngineError("the stack is empty, so nothing can be repaired: run `usine up`")
    inputs: Json = {}
    if finding.type.startswith(tokens.KUBERNETES):
        inputs = kubernetes_identity(finding.type, str(finding.import_id))
    if finding.type.startswith(tokens.DYNAMIC):
        sibling = next((r for r in resources if r["type"] == finding.type and r.get("inputs")), None)
        if sibling is None:
            raise EngineError(f"{finding.name} cannot be adopted: the state has no other {finding.type}")
        inputs = {DYNAMIC_PROVIDER: sibling["inputs"][DYNAMIC_PROVIDER]}
        provider = sibling.get("provider")
    else:
        provider = next(
            (
                urns.provider_reference(resource["urn"], resource["id"])
                for resource in resources
                if tokens.is_provider(str(resource["type"])) and urns.name_of(str(resource["urn"])) == finding.provider
            ),
            None,
        )
    if provider is None:
        raise EngineError(f"{finding.name} cannot be adopted: the state has no provider {finding.provider!r}")
    return {
        "urn": urns.beside(stack, finding.type, f"drift/{finding.object_key}"),
        "custom": True,
        "id": finding.import_id,
        "type": finding.type,
        "inputs": inputs,
        "outputs": dict(inputs),
        "parent": stack,
        "provider": provider,
    }


def kubernetes_identity(type_: str, id_: str) -> Json:
    """Return the inputs that identify a Kubernetes object, by its type token and its id ``[<namespace>/]<name>``."""
    _, module, kind = type_.split(":")
    namespace, _, name = id_.rpartition("/")
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": module.removeprefix("core/"), "kind": kind.removesuffix("Patch"), "metadata": metadata}


def _hide(finding: DriftFinding, resources: Iterable[Json]) -> tuple[str, Path, object]:
    resource = next((r for r in resources if r["urn"] == finding.urn and not r.get("delete")), None)
    path = parse(finding.path)
    value = lookup(resource["inputs"], path) if resource is not None else ABSENT
    if resource is None or value is ABSENT:
        raise EngineError(f"the state has changed: {finding.name} no longer has {finding.path}; scan again")
    del _parent(resource["inputs"], path)[path[-1]]
    return finding.urn, path, value


def _put(inputs: Json, path: Path, value: object) -> None:
    _parent(inputs, path)[path[-1]] = value


def _parent(inputs: Any, path: Path) -> Any:  # noqa: ANN401 - JSON
    for part in path[:-1]:
        inputs = inputs.setdefault(part, {}) if isinstance(inputs, dict) else inputs[part]
    return inputs
