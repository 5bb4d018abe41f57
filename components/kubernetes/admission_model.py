"""The words of an admission policy, as plain values, and how values are written in CEL."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from model.naming import HOSTS_ANNOTATION


@dataclass(frozen=True, slots=True)
class Match:
    """Requests a rule looks at: an API group, its resources, operations."""

    group: str
    resources: tuple[str, ...]
    operations: tuple[str, ...] = ("CREATE", "UPDATE")


@dataclass(frozen=True, slots=True)
class Demand:
    """What must be true; `message` says what is wrong otherwise, `detail` is CEL for a message that names it."""

    expression: str
    message: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement of a label selector, in Kubernetes' words."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AdmissionRule:
    """One policy. `variables` are CEL by name, each may use those before it; `when` says in CEL what it leaves alone.

    `namespaced` is false for the rule on namespaces themselves.
    """

    name: str
    matches: tuple[Match, ...]
    demands: tuple[Demand, ...]
    variables: tuple[tuple[str, str], ...] = ()
    when: str = ""
    namespaced: bool = True


def cel_text(value: str) -> str:
    """Return a string of CEL: JSON's strings are CEL's."""
    return json.dumps(value)


def cel_list(values: Iterable[str]) -> str:
    """Return a list of strings of CEL."""
    return json.dumps(sorted(values))


#: A variable for rules: the hosts of the environment.
HOSTS = (
    "hosts",
    f"namespaceObject.metadata.?annotations[?'{HOSTS_ANNOTATION}'].orValue('').split(',').filter(h, h != '')",
)
#: For `AdmissionRule.when`: whatever leaves the specification as it was is let through.
SPEC_CHANGED = "request.operation != 'UPDATE' || object.spec != oldObject.spec"
