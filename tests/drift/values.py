"""Observations and findings for the tests of drift, with defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_facts.tokens import TENANT
from pulumi_facts.urns import address_of
from usine.drift.findings import DriftFinding
from usine.drift.observe import ObjectValues, Observation
from usine.report.model import Action


def urn(name: str, type_: str, system: str = "kubernetes") -> str:
    tenant = "" if name.startswith("foundation/") else f"{TENANT}$"
    return f"urn:pulumi:lab::usine::{tenant}usine:{system}:Part${type_}::{name}"


def observed(
    name: str,
    type_: str,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any] | None,
    *differs: str,
    known: Mapping[str, Any] | None = None,
    system: str = "kubernetes",
) -> Observation:
    """Return an observation. With `outputs` None, the object is missing. `known` are the outputs in the state."""
    return Observation(
        address_of(urn(name, type_, system)),
        ObjectValues(inputs, known if known is not None else inputs),
        None if outputs is None else ObjectValues(inputs, outputs),
        differs,
        "kubernetes-prod-1",
    )


def finding(name: str = "alpha/vault/policy/env/dev", kind: Action = Action.CHANGED, **values: Any) -> DriftFinding:
    base: dict[str, Any] = {"tenant": name.partition("/")[0], "system": "vault", "type": "vault:index/policy:Policy"}
    if kind is Action.CHANGED:
        base |= {"path": "policy", "expected": "a", "found": "b"}
    return DriftFinding(kind, name=name, **(base | values))
