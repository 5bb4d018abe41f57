"""The elements of an admission policy, as plain values, and helpers that write CEL."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from model.naming import HOSTS_ANNOTATION


@dataclass(frozen=True, slots=True)
class Match:
    """The requests that a rule covers: an API group, its resources, operations."""

    group: str
    resources: tuple[str, ...]
    operations: tuple[str, ...] = ("CREATE", "UPDATE")


@dataclass(frozen=True, slots=True)
class Demand:
    """A condition of a rule. `message` is for the user if it is false; `detail` is CEL for a more precise message."""

    expression: str
    message: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement of a label selector, with Kubernetes' operators."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AdmissionRule:
    """One admission policy. `variables` are CEL by name; each may use the ones before it.

    `when` is CEL: the rule is evaluated only if it is true. `namespaced` is false for the rule on namespaces
    themselves.
    """

    name: str
    matches: tuple[Match, ...]
    demands: tuple[Demand, ...]
    variables: tuple[tuple[str, str], ...] = ()
    when: str = ""
    namespaced: bool = True


def cel_text(value: str) -> str:
    """Return a text as a CEL string. CEL has the same string syntax as JSON."""
    return json.dumps(value)


def cel_list(values: Iterable[str]) -> str:
    """Return texts as a CEL list of strings."""
    return json.dumps(sorted(values))


#: A variable of rules: the host names of the environment.
HOSTS = (
    "hosts",
    f"namespaceObject.metadata.?annotations[?'{HOSTS_ANNOTATION}'].orValue('').split(',').filter(h, h != '')",
)
#: For `AdmissionRule.when`: an update that does not change the specification is allowed.
SPEC_CHANGED = "request.operation != 'UPDATE' || object.spec != oldObject.spec"

#: The objects that create pods.
CONTROLLERS = (
    Match("apps", ("daemonsets", "deployments", "replicasets", "statefulsets")),
    Match("batch", ("cronjobs", "jobs")),
)


def template_of(of: str) -> str:
    """Return the CEL expression for the pod specification in a pod, or in an object that creates pods."""
    # `dyn`, because the API server checks the types of the expression for each kind, and the fields differ by kind.
    return (
        f"request.resource.resource == 'pods' ? dyn({of}).spec : request.resource.resource == 'cronjobs' "
        f"? dyn({of}).spec.jobTemplate.spec.template.spec : dyn({of}).spec.template.spec"
    )


def template_changed(spec: str) -> str:
    """Return the CEL expression for "not an update, or one that changes the pods"; `spec` is the new specification."""
    return f"request.operation != 'UPDATE' || {spec} != ({template_of('oldObject')})"
